"""Direct invocation → a person is enrolled from photos, or their tags change."""

from collections.abc import Mapping
from typing import Any

from chalice import Blueprint

from functions.runtime.container import container
from functions.runtime.handler import exit_if_release_damaged, lambda_handler
from vigil.drops.messages import S3Object
from vigil.errors import Rejected
from vigil.inference.types import DEFAULT_GALLERY
from vigil.people.enrolment import EnrolmentResult

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
    service, bucket = container().enrolment, container().settings.store_bucket
    if "photos" not in event:
        add, remove = (frozenset(map(str, event.get(name, ()))) for name in ("add", "remove"))
        person = service.update_tags(str(event["person"]), add=add, remove=remove)
        return {"person": person.id, "tags": sorted(person.tags)}
    photos = [S3Object(bucket, str(one["key"]), str(one.get("version", ""))) for one in event["photos"]]
    if "person" in event:
        return _enrolment_json(service.enrol_by_id(str(event["person"]), photos))
    tags = frozenset(str(tag) for tag in event.get("tags", ()))
    gallery = str(event.get("gallery", DEFAULT_GALLERY))
    return _enrolment_json(service.enrol_by_name(str(event["name"]), photos, tags, gallery))


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
            for refusal in enrolment.rejected
        ],
        "gallery_version": enrolment.gallery_version,
    }
