"""Schedule, or a call of the API → people and galleries are erased, and expired faces are deleted."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from chalice import Blueprint, Rate

from cloud.dynamodb.maintenance_state import load_expiry_walk, save_expiry_walk
from functions.runtime.container import container
from functions.runtime.handler import lambda_handler
from functions.runtime.receipts import erasure_json
from vigil.errors import Rejected
from vigil.people.gallery_erasure import GalleryErasure

trigger = Blueprint(__name__)

CALL_S = 18
"""Seconds that a call of the API works on an erasure; the schedule continues it."""

MARGIN_MS = 8_000
"""No step begins with less time left."""

EXPIRY_INTERVAL = timedelta(hours=1)
"""Between two walks over the table of faces that delete what has expired."""


@trigger.schedule(Rate(1, unit=Rate.MINUTES), name="erase")
@lambda_handler
def on_erase(event: Any) -> dict[str, Any]:
    """{"person"} in the detail → the erasure with its receipt at the end; {"gallery"} → {"deleted"}.

    Without both, {"completed", "expired"}.
    """
    started_s = time.monotonic()

    def has_time() -> bool:
        return bool(event.context.get_remaining_time_in_millis() > MARGIN_MS)

    def call_has_time() -> bool:
        return has_time() and time.monotonic() - started_s < CALL_S

    if "person" in event.detail:
        return _erase(str(event.detail["person"]), call_has_time)
    if "gallery" in event.detail:
        return {"deleted": _delete_gallery(str(event.detail["gallery"]), call_has_time)}
    completed = container().erasure.continue_erasures(has_time)
    expired = _delete_expired_faces(has_time)
    if completed or expired:
        container().logger.info("erase", extra={"completed": completed, "expired": expired})
    return {"completed": completed, "expired": expired}


def _erase(person: str, has_time: Callable[[], bool]) -> dict[str, Any]:
    try:
        return erasure_json(container().erasure.erase_person(person, has_time), container().mac)
    except Rejected as fault:
        return {"error": {"reason": fault.reason, "message": str(fault)}}


def _delete_gallery(name: str, has_time: Callable[[], bool]) -> bool:
    c = container()
    return GalleryErasure(c.people, c.person_data, c.galleries, c.clock).delete_gallery(name, has_time)


def _delete_expired_faces(has_time: Callable[[], bool]) -> int:
    """Delete some faces whose time is over; a walk over the whole table begins every hour."""
    c = container()
    walk, now = load_expiry_walk(c.state_store), c.clock()
    if not walk.cursor and walk.began_at is not None and now - walk.began_at < EXPIRY_INTERVAL:
        return 0
    removed, cursor = c.unknown_faces.remove_expired(now, walk.cursor)
    while cursor and has_time():
        number, cursor = c.unknown_faces.remove_expired(now, cursor)
        removed += number
    save_expiry_walk(c.state_store, walk.next(cursor, now))
    return removed
