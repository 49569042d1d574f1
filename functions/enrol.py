"""Direct invocation → a person enrolled, or the reasons why not."""

from collections.abc import Mapping
from typing import Any

from chalice import Blueprint

from functions.wiring import desk
from vigil.drops import Object
from vigil.errors import Rejected
from vigil.flow.enrol import Enrolment, enrol

trigger = Blueprint(__name__)


@trigger.lambda_function(name="enrol")
def on_enrol(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """{"name", "photos": [{"key", "version"?}], "tags"?} → {"person", "taken", "refused", ...}.

    Photos lie under enrol/ in the store bucket, and are erased once they were examined.
    """
    counter = desk()
    photos = [
        Object(counter.bucket, str(photo["key"]), str(photo.get("version", ""))) for photo in event["photos"]
    ]
    tags = frozenset(str(tag) for tag in event.get("tags", ()))
    try:
        return _told(enrol(str(event["name"]), photos, tags, counter.ports))
    except Rejected as fault:
        return {"error": {"reason": fault.reason, "message": str(fault)}}


def _told(enrolment: Enrolment) -> dict[str, Any]:
    return {
        "person": enrolment.person.id,
        "name": enrolment.person.name,
        "tags": sorted(enrolment.person.tags),
        "taken": [photo.key for photo in enrolment.taken],
        "refused": [
            {"key": refusal.photo.key, "reason": refusal.reason, "message": refusal.message}
            for refusal in enrolment.refused
        ],
        "gallery_version": enrolment.gallery_version,
    }
