"""Collections, which are galleries, and the faces in them."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from functions.api.rekognition.errors import InvalidParameter, RekognitionError
from functions.api.rekognition.images import (
    FACES_MODEL,
    QUALITY_LEVELS,
    Face,
    invoke_function,
    passes_filter,
    read_image,
    to_bounding_box,
    to_face_detail,
    to_reference,
)
from functions.api.rekognition.operations import Input, Output, rekognition_operation
from functions.api.rekognition.tokens import next_token, read_token
from functions.runtime.container import container
from vigil.access.roles import Caller
from vigil.inference.types import is_gallery_name
from vigil.people.face_records import FaceRecord, parse_face_id
from vigil.people.person import new_person_id

MAX_PAGE = 1000
"""Faces or names of one page; the paginators of boto3 follow the token."""

PEOPLE_READ_AT_ONCE = 32
DEFAULT_MATCH_PERCENT, DEFAULT_MAX_FACES = 80.0, 80
REASONS = {
    "small": "SMALL_BOUNDING_BOX",
    "blurred": "LOW_SHARPNESS",
    "turned": "EXTREME_POSE",
    "rotated": "EXTREME_POSE",
    "exceeds-max-faces": "EXCEEDS_MAX_FACES",
}
"""By quality issue or other reason; the rest is LOW_FACE_QUALITY."""


@rekognition_operation(role="operator")
def create_collection(caller: Caller, request: Input) -> Output:
    name = request["CollectionId"]
    if request.get("Tags"):
        raise InvalidParameter("tags of collections are not available")
    if not is_gallery_name(name):
        raise InvalidParameter(
            "CollectionId must be the name of a gallery: up to 31 lower-case letters, digits and hyphens"
        )
    _require_access(caller, name)
    if not container().profiles.collections.create(name, datetime.now(UTC)):
        raise RekognitionError("ResourceAlreadyExistsException", f"the collection {name} exists")
    return {"StatusCode": 200, "CollectionArn": _arn(name), "FaceModelVersion": _model_version()}


@rekognition_operation(role="reviewer")
def describe_collection(caller: Caller, request: Input) -> Output:
    """The number of faces is counted by reading them."""
    name = _find_collection(caller, request)
    view = container().profiles.collections.find(name)
    return {
        "FaceCount": sum(1 for _ in _faces_of(name)),
        "FaceModelVersion": _model_version(),
        "CollectionARN": _arn(name),
        "CreationTimestamp": view.changed_at.timestamp() if view else 0,
    }


@rekognition_operation(role="reviewer", audited_names=())
def list_collections(caller: Caller, request: Input) -> Output:
    after = read_token(caller, "collections", request)
    names = [
        one for one in container().profiles.collections.names_after(after) if caller.can_access_gallery(one)
    ]
    page = names[: request.get("MaxResults") or MAX_PAGE]
    output: Output = {"CollectionIds": page, "FaceModelVersions": [_model_version()] * len(page)}
    return output | _token(caller, "collections", request, page[-1] if len(page) < len(names) else "")


@rekognition_operation(role="operator")
def index_faces(caller: Caller, request: Input) -> Output:
    """Each face becomes a template of the person whom it matches, else of a new person."""
    name, image_id = _find_collection(caller, request), str(uuid.uuid4())
    photo = container().store.save_pending_photo(new_person_id(), read_image(caller, request["Image"]))
    index = {
        "gallery": name,
        "image_id": image_id,
        "external_image_id": request.get("ExternalImageId"),
        "max_faces": request.get("MaxFaces"),
        "least_quality": QUALITY_LEVELS[request.get("QualityFilter", "AUTO")],
    }
    payload = {"index": index, "photo": {"key": photo.key, "version": photo.version}}
    answer = invoke_function(container().settings.enrol_function, payload)
    indexed, unindexed = (
        [{**one, "size_px": answer["size_px"]} for one in answer[part]] for part in ("indexed", "unindexed")
    )
    attributes = request.get("DetectionAttributes", ())
    return {
        "FaceRecords": [
            {"Face": _indexed_face(one, image_id, request), "FaceDetail": to_face_detail(one, attributes)}
            for one in indexed
        ],
        "UnindexedFaces": [
            {
                "Reasons": [REASONS.get(reason, "LOW_FACE_QUALITY") for reason in one["reasons"]],
                "FaceDetail": to_face_detail(one, attributes),
            }
            for one in unindexed
        ],
        "FaceModelVersion": _model_version(),
    }


@rekognition_operation(role="reviewer")
def list_faces(caller: Caller, request: Input) -> Output:
    name = _find_collection(caller, request)
    _refuse_users(request)
    position = read_token(caller, "faces", request)
    chosen, size = request.get("FaceIds"), min(request.get("MaxResults") or MAX_PAGE, MAX_PAGE)
    faces = (one for one in _faces_of(name, position) if chosen is None or one.key.face_id in chosen)
    found = list(islice(faces, size + 1))
    page = found[:size]
    output: Output = {"Faces": [_stored_face(one) for one in page], "FaceModelVersion": _model_version()}
    return output | _token(caller, "faces", request, page[-1].key.face_id if len(page) < len(found) else "")


@rekognition_operation(role="admin")
def delete_faces(caller: Caller, request: Input) -> Output:
    name, face_ids = _find_collection(caller, request), list(dict.fromkeys(request["FaceIds"]))
    payload = {"delete_faces": {"gallery": name, "face_ids": face_ids}}
    deleted = invoke_function(container().settings.enrol_function, payload)["deleted"]
    missing = [one for one in face_ids if one not in deleted]
    return {
        **({"DeletedFaces": deleted} if deleted else {}),
        "UnsuccessfulFaceDeletions": [{"FaceId": one, "Reasons": ["FACE_NOT_FOUND"]} for one in missing],
    }


@rekognition_operation(role="reviewer")
def search_faces_by_image(caller: Caller, request: Input) -> Output:
    """The largest face of the image is searched for."""
    answer = _search(caller, request, to_reference(caller, request["Image"]))
    probe = answer["probe"]
    if not passes_filter(probe, request.get("QualityFilter", "NONE")):
        raise InvalidParameter("the largest face of the image does not pass the quality filter")
    return {
        "SearchedFaceBoundingBox": to_bounding_box(probe),
        "SearchedFaceConfidence": 100 * probe["confidence"],
        "FaceMatches": _matches(answer),
        "FaceModelVersion": _model_version(),
    }


@rekognition_operation(role="reviewer", audited_names=("CollectionId", "FaceId"))
def search_faces(caller: Caller, request: Input) -> Output:
    answer = _search(caller, request, {"face_id": request["FaceId"]})
    return {
        "SearchedFaceId": request["FaceId"],
        "FaceMatches": _matches(answer),
        "FaceModelVersion": _model_version(),
    }


def _search(caller: Caller, request: Input, probe: dict[str, Any]) -> dict[str, Any]:
    scope = {
        "gallery": _find_collection(caller, request),
        "least_percent": request.get("FaceMatchThreshold", DEFAULT_MATCH_PERCENT),
        "limit": request.get("MaxFaces", DEFAULT_MAX_FACES),
    }
    payload = {"model": FACES_MODEL, "match": scope} | probe
    return invoke_function(container().settings.predict_function, payload)


def _find_collection(caller: Caller, request: Input) -> str:
    """The name of the request's collection. Raises RekognitionError if the caller has no such collection."""
    name = str(request["CollectionId"])
    exists = is_gallery_name(name) and caller.can_access_gallery(name)
    if not exists or container().profiles.collections.find(name) is None:
        raise RekognitionError("ResourceNotFoundException", f"the collection id {name} does not exist")
    return name


def _require_access(caller: Caller, name: str) -> None:
    if not caller.can_access_gallery(name):
        raise RekognitionError("AccessDeniedException", f"the token cannot access the collection {name}")


def _refuse_users(request: Input) -> None:
    if "UserId" in request:
        raise InvalidParameter("users of collections are not available")


def _faces_of(name: str, after_face: str = "") -> Iterator[FaceRecord]:
    """The faces of a collection in the order of their ids, beginning after one."""
    after = parse_face_id(after_face) if after_face else None
    c = container()
    if after is not None:
        yield from (one for one in c.templates.face_records(after.person) if one.key.face_id > after_face)
    views = c.profiles.list_page(after=after.person if after else "", page_size=MAX_PAGE)
    people = (view.person.id for view in views if view.person.gallery == name)
    while batch := list(islice(people, PEOPLE_READ_AT_ONCE)):
        for records in c.executor.map(lambda person: list(c.templates.face_records(person)), batch):
            yield from records


def _token(caller: Caller, name: str, request: Input, position: str) -> Output:
    return {"NextToken": next_token(caller, name, request, position)} if position else {}


def _indexed_face(face: Face, image_id: str, request: Input) -> dict[str, Any]:
    external = {"ExternalImageId": request["ExternalImageId"]} if "ExternalImageId" in request else {}
    return {
        "FaceId": face["face_id"],
        "BoundingBox": to_bounding_box(face),
        "ImageId": image_id,
        "Confidence": 100 * face["confidence"],
    } | external


def _stored_face(record: FaceRecord) -> dict[str, Any]:
    return _face(record.key.face_id, asdict(record.origin) if record.origin else {})


def _matches(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"Similarity": one["similarity"], "Face": _face(one["face_id"], one)} for one in answer["matches"]
    ]


def _face(face_id: str, origin: Mapping[str, Any]) -> dict[str, Any]:
    """A face with the members of its FaceOrigin; one that was not indexed but enrolled has an id only."""
    if "image_id" not in origin:
        return {"FaceId": face_id}
    left, top, width, height = origin["box"]
    external = {"ExternalImageId": origin["external_image_id"]} if origin["external_image_id"] else {}
    return {
        "FaceId": face_id,
        "BoundingBox": {"Width": width, "Height": height, "Left": left, "Top": top},
        "ImageId": origin["image_id"],
        "Confidence": 100 * origin["confidence"],
    } | external


def _arn(name: str) -> str:
    return f"arn:aws:rekognition:::collection/{name}"


def _model_version() -> str:
    return str(container().model_cards[FACES_MODEL].release)
