"""Direct invocation → a person enrolled or tagged, or the reasons why not."""

from collections.abc import Mapping
from typing import Any

from chalice import Blueprint

from functions.runtime.container import Container, container
from functions.runtime.handler import exit_if_release_damaged, lambda_handler
from vigil.drops.messages import S3Object
from vigil.errors import Rejected
from vigil.people.enrolment import EnrolmentResult, enrol_by_id, enrol_by_name, update_tags

trigger = Blueprint(__name__)


@trigger.lambda_function(name="enrol")
@lambda_handler
def on_enrol(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """{"name" or "person", "photos": [{"key", "version"?}], "tags"?} → {"person", "taken", "refused", ...};
    {"person", "put": [tag], "drop": [tag]} → {"person", "tags"}.

    Photos lie under enrol/ in the store bucket, and are erased once they were examined.
    """
    try:
        with exit_if_release_damaged():
            return _handle(event, container())
    except Rejected as fault:
        return {"error": {"reason": fault.reason, "message": str(fault)}}


def _handle(event: Mapping[str, Any], container: Container) -> dict[str, Any]:
    if "photos" not in event:
        put, drop = (frozenset(map(str, event.get(name, ()))) for name in ("add", "remove"))
        person = update_tags(str(event["person"]), add=put, remove=drop, service=container.enrolment)
        return {"person": person.id, "tags": sorted(person.tags)}
    photos = [
        S3Object(container.settings.store_bucket, str(photo["key"]), str(photo.get("version", "")))
        for photo in event["photos"]
    ]
    if "person" in event:
        return _enrolment_json(enrol_by_id(str(event["person"]), photos, container.enrolment))
    tags = frozenset(str(tag) for tag in event.get("tags", ()))
    return _enrolment_json(enrol_by_name(str(event["name"]), photos, tags, container.enrolment))


def _enrolment_json(enrolment: EnrolmentResult) -> dict[str, Any]:
    return {
        "person": enrolment.person.id,
        "name": enrolment.person.name,
        "tags": sorted(enrolment.person.tags),
        "accepted": [photo.key for photo in enrolment.accepted],
        "rejected": [
            {"key": refusal.photo.key, "reason": refusal.reason, "message": refusal.message}
            | ({"boxes_px": refusal.boxes_px} if refusal.boxes_px else {})
            for refusal in enrolment.rejected
        ],
        "gallery_version": enrolment.gallery_version,
    }
