"""Users of collections: a user is a person whose faces a client has named."""

from datetime import UTC, datetime
from typing import Any

from functions.api.rekognition.collection_faces import DEFAULT_MATCH_PERCENT, DEFAULT_MAX_FACES, reasons_of
from functions.api.rekognition.collections import find_collection, model_version
from functions.api.rekognition.errors import InvalidParameter, RekognitionError
from functions.api.rekognition.images import (
    FACES_MODEL,
    QUALITY_LEVELS,
    invoke_function,
    to_face_detail,
    to_reference,
)
from functions.api.rekognition.operations import Input, Output, rekognition_operation
from functions.api.rekognition.tokens import next_page, read_token
from functions.runtime.container import container
from vigil.access.roles import Caller
from vigil.people.person import User

MAX_PAGE = 500
DEFAULT_ASSOCIATION_PERCENT = 75.0
REASONS = {
    "not-found": ["FACE_NOT_FOUND"],
    "other-user": ["ASSOCIATED_TO_A_DIFFERENT_USER"],
    "low-similarity": ["LOW_MATCH_CONFIDENCE"],
    "exceeds-limit": [],
}
"""Rekognition has no name for a face beyond the hundred that a user can have."""

USER = ("CollectionId", "UserId")


@rekognition_operation(role="operator", audited_names=USER)
def create_user(caller: Caller, request: Input) -> Output:
    name, user = find_collection(caller, request), request["UserId"]
    if not container().profiles.users.create(name, user, datetime.now(UTC)):
        raise RekognitionError("ConflictException", f"the user {user} exists")
    return {}


@rekognition_operation(role="reviewer")
def list_users(caller: Caller, request: Input) -> Output:
    name, size = find_collection(caller, request), request.get("MaxResults", MAX_PAGE)
    users = container().profiles.users.list_page(
        name, after=read_token(caller, "users", request), size=size + 1
    )
    last = users[size - 1].id if len(users) > size else ""
    return {"Users": list(map(_to_user, users[:size]))} | next_page(caller, "users", request, last)


@rekognition_operation(role="admin", audited_names=USER)
def delete_user(caller: Caller, request: Input) -> Output:
    """The faces remain in the collection, with their person."""
    _change(caller, request, "delete")
    return {}


@rekognition_operation(role="operator", audited_names=USER)
def associate_faces(caller: Caller, request: Input) -> Output:
    least = request.get("UserMatchThreshold", DEFAULT_ASSOCIATION_PERCENT)
    answer = _change(caller, request, "associate", face_ids=request["FaceIds"], least_percent=least)
    return {
        "AssociatedFaces": [{"FaceId": one} for one in answer["changed"]],
        "UnsuccessfulFaceAssociations": list(map(_to_refusal, answer["refused"])),
        "UserStatus": _status(answer["number"]),
    }


@rekognition_operation(role="operator", audited_names=USER)
def disassociate_faces(caller: Caller, request: Input) -> Output:
    answer = _change(caller, request, "disassociate", face_ids=request["FaceIds"])
    return {
        "DisassociatedFaces": [{"FaceId": one} for one in answer["changed"]],
        "UnsuccessfulFaceDisassociations": list(map(_to_refusal, answer["refused"])),
        "UserStatus": _status(answer["number"]),
    }


@rekognition_operation(role="reviewer", audited_names=(*USER, "FaceId"))
def search_users(caller: Caller, request: Input) -> Output:
    if ("UserId" in request) == ("FaceId" in request):
        raise InvalidParameter("a search needs either UserId or FaceId")
    name = find_collection(caller, request)
    if "FaceId" in request:
        answer = _search(name, request, {"face_id": request["FaceId"]})
        return _matches(answer) | {"SearchedFace": {"FaceId": request["FaceId"]}}
    user = _find_user(name, request["UserId"])
    found = (
        _search(name, request, {"user": user.id, "person": user.person}) if user.person else {"matches": []}
    )
    return _matches(found) | {"SearchedUser": {"UserId": user.id}}


@rekognition_operation(role="reviewer")
def search_users_by_image(caller: Caller, request: Input) -> Output:
    """The largest face is searched for; without one that passes the filter, there is no match."""
    name, quality = find_collection(caller, request), request.get("QualityFilter", "NONE")
    least = None if quality == "NONE" else QUALITY_LEVELS[quality]
    image = to_reference(caller, request["Image"])
    answer = _search(name, request, image | {"least_quality": least})
    faces = [{**one, "size_px": answer["size_px"]} for one in answer["faces"]]
    probe = answer["probe"]
    output = _matches(answer) | {
        "UnsearchedFaces": [
            {
                "FaceDetails": to_face_detail(face, ()),
                "Reasons": reasons_of(face["quality_issues"])
                if index == answer["largest"]
                else ["FACE_NOT_LARGEST"],
            }
            for index, face in enumerate(faces)
            if index != probe
        ]
    }
    return (
        output
        if probe is None
        else output | {"SearchedFace": {"FaceDetail": to_face_detail(faces[probe], ())}}
    )


def _change(caller: Caller, request: Input, action: str, **details: Any) -> dict[str, Any]:
    """The enrol function's answer. Raises RekognitionError."""
    change = {"action": action, "gallery": find_collection(caller, request), "user": request["UserId"]}
    return invoke_function(container().settings.enrol_function, {"user": change | details})


def _search(name: str, request: Input, probe: dict[str, Any]) -> dict[str, Any]:
    scope = {
        "gallery": name,
        "least_percent": request.get("UserMatchThreshold", DEFAULT_MATCH_PERCENT),
        "limit": request.get("MaxUsers", DEFAULT_MAX_FACES),
    }
    payload = {"model": FACES_MODEL, "match_users": scope} | probe
    return invoke_function(container().settings.predict_function, payload)


def _find_user(name: str, user: str) -> User:
    found = container().profiles.users.find(name, user)
    if found is None:
        raise RekognitionError("ResourceNotFoundException", f"the user {user} does not exist")
    return found


def _matches(answer: dict[str, Any]) -> Output:
    matches = [
        {"Similarity": one["similarity"], "User": {"UserId": one["user"], "UserStatus": "ACTIVE"}}
        for one in answer["matches"]
    ]
    return {"UserMatches": matches, "FaceModelVersion": model_version()}


def _to_user(user: User) -> dict[str, str]:
    return {"UserId": user.id, "UserStatus": _status(user.person is not None)}


def _status(has_faces: int) -> str:
    return "ACTIVE" if has_faces else "CREATED"


def _to_refusal(refused: dict[str, Any]) -> dict[str, Any]:
    output: dict[str, Any] = {"FaceId": refused["face_id"], "Reasons": REASONS[refused["reason"]]}
    if refused["user"] is not None:
        output["UserId"] = refused["user"]
    return output if refused["similarity"] is None else output | {"Confidence": refused["similarity"]}
