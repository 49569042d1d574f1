"""Direct invocation → people are enrolled from photos; tags, faces and users of collections change."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from chalice import Blueprint

from functions.runtime.container import container
from functions.runtime.handler import exit_if_release_damaged, lambda_handler
from vigil.drops.messages import S3Object
from vigil.errors import Rejected
from vigil.inference.types import DEFAULT_GALLERY
from vigil.people.enrolment import EnrolmentResult
from vigil.people.indexing import IndexRequest
from vigil.people.users import UserService

trigger = Blueprint(__name__)


@trigger.lambda_function(name="enrol")
@lambda_handler
def on_enrol(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """{"name" or "person", "photos": [{"key", "version"?}], "tags"?, "gallery"?} → the outcome.

    {"person", "add": [tag], "remove": [tag]} → {"person", "tags"}. The keys name photos below enrol/ in the
    store bucket; the photos are deleted after they were examined.
    """
    try:
        with exit_if_release_damaged():
            return _handle(event)
    except Rejected as fault:
        return {"error": {"reason": fault.reason, "message": str(fault)}}


def _handle(event: Mapping[str, Any]) -> dict[str, Any]:
    if "index" in event:
        return _index(event["index"], _photo(event["photo"]))
    if "delete_faces" in event:
        return _delete_faces(event["delete_faces"])
    if "user" in event:
        return _change_user(event["user"])
    service = container().enrolment
    if "photos" not in event:
        add, remove = (frozenset(map(str, event.get(name, ()))) for name in ("add", "remove"))
        person = service.update_tags(str(event["person"]), add=add, remove=remove)
        return {"person": person.id, "tags": sorted(person.tags)}
    photos = list(map(_photo, event["photos"]))
    if "person" in event:
        return _enrolment_json(service.enrol_by_id(str(event["person"]), photos))
    tags = frozenset(str(tag) for tag in event.get("tags", ()))
    gallery = str(event.get("gallery", DEFAULT_GALLERY))
    return _enrolment_json(service.enrol_by_name(str(event["name"]), photos, tags, gallery))


def _photo(reference: Mapping[str, Any]) -> S3Object:
    bucket = container().settings.store_bucket
    return S3Object(bucket, str(reference["key"]), str(reference.get("version", "")))


def _index(request: Mapping[str, Any], photo: S3Object) -> dict[str, Any]:
    """{"gallery", "image_id", "external_image_id", "max_faces", "least_quality"} → the faces of the photo."""
    result = container().indexing.index_photo(photo, IndexRequest(**request))
    return {
        "size_px": result.size_px,
        "indexed": [{"face_id": key.face_id, **asdict(face)} for key, face in result.indexed],
        "unindexed": [{"reasons": reasons, **asdict(face)} for face, reasons in result.unindexed],
    }


def _delete_faces(request: Mapping[str, Any]) -> dict[str, Any]:
    """{"gallery", "face_ids"} → {"deleted": [face id]}."""
    return {"deleted": container().indexing.delete_faces(request["gallery"], request["face_ids"])}


def _change_user(request: Mapping[str, Any]) -> dict[str, Any]:
    """{"action": associate, disassociate or delete, "gallery", "user", ...} → changed and other faces."""
    c, gallery, user = container(), request["gallery"], request["user"]
    service = UserService(c.enrolment, c.people, c.templates, c.face_releases)
    if request["action"] == "delete":
        service.delete_user(gallery, user)
        return {}
    if request["action"] == "disassociate":
        return asdict(service.disassociate(gallery, user, request["face_ids"]))
    faces, least_percent = request["face_ids"], request["least_percent"]
    return asdict(service.associate(gallery, user, faces, least_percent=least_percent))


def _enrolment_json(enrolment: EnrolmentResult) -> dict[str, Any]:
    return {
        "person": enrolment.person.id,
        "name": enrolment.person.name,
        "gallery": enrolment.person.gallery,
        "tags": sorted(enrolment.person.tags),
        "accepted": [photo.key for photo in enrolment.accepted],
        "rejected": [
            {"key": refusal.photo.key, "reason": refusal.reason, "message": refusal.message}
            | ({"boxes_px": refusal.boxes_px} if refusal.boxes_px else {})
            | ({"person": refusal.person} if refusal.person else {})
            for refusal in enrolment.rejected
        ],
        "gallery_version": enrolment.gallery_version,
    }
