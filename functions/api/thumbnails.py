"""Thumbnails: a link that is good for five minutes, and the small picture that is made when it is followed.

No thumbnail is stored: it is made from the photo each time, so that whatever ends the photo ends it.
"""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.api import wiring
from functions.api.operation import Call, File, Operation
from functions.api.problems import NotAcceptable, NotFound, Refused, TooMany
from functions.settings import settings
from vigil.access.roles import Caller
from vigil.access.seals import Forged, seal, unseal

LASTS = timedelta(minutes=5)
JPEG = "image/jpeg"
SHOWN = {"Cache-Control": "private, max-age=300"}
PURPOSE = "thumbnail"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a link says: who may look at what, until when.

    sighting  its place among the drop's sightings; None for the whole photo
    """

    caller: Caller
    drop: str
    sighting: int | None
    until: datetime


def link(call: Call, drop: str, sighting: int | None = None) -> str:
    """To look at a drop's photo, or at one sighting in it; the look is written down as the caller's."""
    until = int((datetime.now(UTC) + LASTS).timestamp())
    told = [call.caller.id, call.caller.role, drop, sighting, until]
    return f"{call.base}/v1/thumbnails/{seal(told, purpose=PURPOSE, key=wiring.cursor_key())}"


def get_thumbnail(call: Call) -> File:
    """A JPEG of at most 320 pixels, without anything but pixels; the link itself is the permission."""
    now = datetime.now(UTC)
    ticket = _ticket(call.path["thumbnail"])
    if ticket.until < now:
        raise NotFound("the link has expired; ask for the drop again")
    if not call.takes_pictures:
        raise NotAcceptable("the picture is sent as bytes only where they are asked for")
    wait_s = wiring.permits().take(ticket.caller.id, now)
    if wait_s:
        raise TooMany(retry_s=wait_s)
    question = _question(ticket)
    about = {"drop": ticket.drop} | ({} if ticket.sighting is None else {"sighting": str(ticket.sighting)})
    wiring.audit().append(ticket.caller, "get-thumbnail", about, now)
    told = wiring.neighbours().ask(settings().thumbnail_function, question)
    if "jpeg" not in told:
        raise _why_not(told["error"])
    return File(base64.b64decode(told["jpeg"]), JPEG, SHOWN)


def _ticket(text: str) -> Ticket:
    try:
        who, role, drop, sighting, until = unseal(text, purpose=PURPOSE, key=wiring.cursor_key())
    except Forged as error:
        raise NotFound from error
    return Ticket(Caller(who, role), drop, sighting, datetime.fromtimestamp(until, UTC))


def _question(ticket: Ticket) -> dict[str, Any]:
    """What to make a picture of. Raises NotFound where the photo, or the sighting, is gone."""
    row = wiring.records().drop(ticket.drop)
    if row is None or "origin" not in row:
        raise NotFound
    question = {"model": row["model"], "photo": row["origin"]}
    if ticket.sighting is None:
        return question
    seen = wiring.records().sighting(ticket.drop, ticket.sighting)
    if seen is None:
        raise NotFound
    return question | ({"box_px": seen["box_px"]} if "box_px" in seen else {})


def _why_not(error: dict[str, str]) -> NotFound | Refused:
    if error["reason"] == "object-gone":
        return NotFound("the photo is gone")
    return Refused(error["message"], reason=error["reason"])


OPERATIONS = (
    Operation(
        "GET",
        "/v1/thumbnails/{thumbnail}",
        name="get-thumbnail",
        summary="A small picture of a drop, or of one sighting",
        serve=get_thumbnail,
        role=None,
        gives=JPEG,
        problems=(NotFound, NotAcceptable, Refused, TooMany),
    ),
)
