"""The faces of collections: indexed, listed, deleted and searched for."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from itertools import islice
from typing import Any

from functions.api.rekognition.collections import MAX_PAGE, faces_of, find_collection, model_version
from functions.api.rekognition.errors import InvalidParameter
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
from functions.api.rekognition.tokens import next_page, read_token
from functions.runtime.container import container
from vigil.access.roles import Caller
from vigil.people.face_records import FaceRecord
from vigil.people.person import new_person_id

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
def index_faces(caller: Caller, request: Input) -> Output:
    """Each face becomes a template of the person whom it matches, else of a new person."""
    name, image_id = find_collection(caller, request), str(uuid.uuid4())
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
                "Reasons": reasons_of(one["reasons"]),
                "FaceDetail": to_face_detail(one, attributes),
            }
            for one in unindexed
        ],
        "FaceModelVersion": model_version(),
    }


@rekognition_operation(role="reviewer")
def list_faces(caller: Caller, request: Input) -> Output:
    name = find_collection(caller, request)
    position = read_token(caller, "faces", request)
    chosen, size = request.get("FaceIds"), min(request.get("MaxResults") or MAX_PAGE, MAX_PAGE)
    user = request.get("UserId")
    faces = (
        one
        for one in faces_of(name, position)
        if (chosen is None or one.face_id in chosen) and (user is None or one.user == user)
    )
    found = list(islice(faces, size + 1))
    page = found[:size]
    output: Output = {"Faces": [_stored_face(one) for one in page], "FaceModelVersion": model_version()}
    return output | next_page(
        caller, "faces", request, page[-1].key.face_id if len(page) < len(found) else ""
    )


@rekognition_operation(role="admin")
def delete_faces(caller: Caller, request: Input) -> Output:
    name, face_ids = find_collection(caller, request), list(dict.fromkeys(request["FaceIds"]))
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
        "FaceModelVersion": model_version(),
    }


@rekognition_operation(role="reviewer", audited_names=("CollectionId", "FaceId"))
def search_faces(caller: Caller, request: Input) -> Output:
    answer = _search(caller, request, {"face_id": request["FaceId"]})
    return {
        "SearchedFaceId": request["FaceId"],
        "FaceMatches": _matches(answer),
        "FaceModelVersion": model_version(),
    }


def _search(caller: Caller, request: Input, probe: dict[str, Any]) -> dict[str, Any]:
    scope = {
        "gallery": find_collection(caller, request),
        "least_percent": request.get("FaceMatchThreshold", DEFAULT_MATCH_PERCENT),
        "limit": request.get("MaxFaces", DEFAULT_MAX_FACES),
    }
    payload = {"model": FACES_MODEL, "match": scope} | probe
    return invoke_function(container().settings.predict_function, payload)


def reasons_of(faults: Iterable[str]) -> list[str]:
    """Rekognition's names for the reasons why a face is not used."""
    return [REASONS.get(one, "LOW_FACE_QUALITY") for one in faults] or ["LOW_FACE_QUALITY"]


def _indexed_face(face: Face, image_id: str, request: Input) -> dict[str, Any]:
    external = {"ExternalImageId": request["ExternalImageId"]} if "ExternalImageId" in request else {}
    return {
        "FaceId": face["face_id"],
        "BoundingBox": to_bounding_box(face),
        "ImageId": image_id,
        "Confidence": 100 * face["confidence"],
    } | external


def _stored_face(record: FaceRecord) -> dict[str, Any]:
    origin = asdict(record.origin) if record.origin else {}
    return _face(record.face_id, origin | {"user": record.user})


def _matches(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"Similarity": one["similarity"], "Face": _face(one["face_id"], one)} for one in answer["matches"]
    ]


def _face(face_id: str, origin: Mapping[str, Any]) -> dict[str, Any]:
    """A face with its user and the members of its FaceOrigin, which one that was enrolled does not have."""
    face = {"FaceId": face_id} | ({"UserId": origin["user"]} if origin.get("user") else {})
    if "image_id" not in origin:
        return face
    left, top, width, height = origin["box"]
    external = {"ExternalImageId": origin["external_image_id"]} if origin["external_image_id"] else {}
    return (
        face
        | {
            "BoundingBox": {"Width": width, "Height": height, "Left": left, "Top": top},
            "ImageId": origin["image_id"],
            "Confidence": 100 * origin["confidence"],
        }
        | external
    )
