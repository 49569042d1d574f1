"""Direct invocation → a person enrolled or tagged, or the reasons why not."""

from collections.abc import Mapping
from typing import Any

from chalice import Blueprint

from functions.bounded import bounded
from functions.damage import replaced_if_damaged
from functions.enrolling import Counter, desk
from vigil.drops import Object
from vigil.errors import Rejected
from vigil.flow.enrol import Enrolment, enrol, enrol_known
from vigil.flow.retag import retag

trigger = Blueprint(__name__)


@trigger.lambda_function(name="enrol")
@bounded
def on_enrol(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """{"name" or "person", "photos": [{"key", "version"?}], "tags"?} → {"person", "taken", "refused", ...};
    {"person", "put": [tag], "drop": [tag]} → {"person", "tags"}.

    Photos lie under enrol/ in the store bucket, and are erased once they were examined.
    """
    try:
        with replaced_if_damaged():
            return _done(event, desk())
    except Rejected as fault:
        return {"error": {"reason": fault.reason, "message": str(fault)}}


def _done(event: Mapping[str, Any], counter: Counter) -> dict[str, Any]:
    if "photos" not in event:
        put, drop = (frozenset(map(str, event.get(name, ()))) for name in ("put", "drop"))
        person = retag(str(event["person"]), put=put, drop=drop, desk=counter.ports)
        return {"person": person.id, "tags": sorted(person.tags)}
    photos = [
        Object(counter.bucket, str(photo["key"]), str(photo.get("version", ""))) for photo in event["photos"]
    ]
    if "person" in event:
        return _told(enrol_known(str(event["person"]), photos, counter.ports))
    tags = frozenset(str(tag) for tag in event.get("tags", ()))
    return _told(enrol(str(event["name"]), photos, tags, counter.ports))


def _told(enrolment: Enrolment) -> dict[str, Any]:
    return {
        "person": enrolment.person.id,
        "name": enrolment.person.name,
        "tags": sorted(enrolment.person.tags),
        "taken": [photo.key for photo in enrolment.taken],
        "refused": [
            {"key": refusal.photo.key, "reason": refusal.reason, "message": refusal.message}
            | ({"boxes_px": refusal.boxes_px} if refusal.boxes_px else {})
            for refusal in enrolment.refused
        ],
        "gallery_version": enrolment.gallery_version,
    }
