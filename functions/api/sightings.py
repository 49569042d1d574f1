"""Sightings: who and what was seen, where and when."""

import base64
from collections.abc import Callable
from typing import Any

from functions.api import wiring
from functions.api.drops import matching, seen_one
from functions.api.images import MEDIA, image, unpacked
from functions.api.operation import Call, Operation
from functions.api.paging import Found, Row, before, collect, page, position
from functions.api.predict import asked
from functions.api.problems import BadCursor, Busy, Refused
from functions.api.schemas.drops import Likeness, Likenesses, SearchPhoto, Sightings, SightingsQuery
from functions.api.thumbnails import link

DAYS = 7
"""That a search looks back unless it says otherwise."""


def list_sightings(call: Call, query: SightingsQuery) -> Sightings:
    """Sightings, newest first: a person's through all time, others of the last day unless `since` says."""
    found = _of_person(call, query, query.person) if query.person else _of_days(call, query)
    return Sightings(items=[seen_one(row, call) for row in found.rows], next=found.next)


def search_sightings(call: Call, photo: SearchPhoto | None = None) -> Likenesses:
    """Strangers who look like this face, of sources that remember them (`remember = true` in the rules)."""
    data = unpacked(photo.image) if photo else image(call)
    days = photo.days if photo else DAYS
    told = asked({"model": "faces", "data": base64.b64encode(data).decode(), "search": {"days": days}})
    theirs = (one for one in told["likenesses"] if call.caller.sees(one["source"]))
    return Likenesses(items=tuple(_alike(one, call) for one in theirs))


def _alike(one: dict[str, Any], call: Call) -> Likeness:
    number = int(one["sighting"].rpartition("-")[2])
    return Likeness(**one, thumbnail_url=link(call, one["drop"], number))


def _of_days(call: Call, query: SightingsQuery) -> Found:
    return page(call, query, "sightings", _fits(query), query.since)


def _of_person(call: Call, query: SightingsQuery, person: str) -> Found:
    rows = wiring.records().of_subject(person, before=position(call, query, "sightings"))
    seen = (row for row in rows if str(row["sk"]).startswith("sighting#"))
    return collect(call, query, "sightings", seen, _fits(query))


def _fits(query: SightingsQuery) -> Callable[[Row], bool]:
    fits = matching({"taken_from": query.source, "status": query.status}, query.until)
    return lambda row: fits(row) and not (query.since and before(row, query.since))


OPERATIONS = (
    Operation(
        "POST",
        "/v1/sightings/search",
        name="search-sightings",
        summary="Strangers who look like a face",
        serve=search_sightings,
        role="reviewer",
        takes=SearchPhoto,
        answers=Likenesses,
        media=MEDIA,
        audited=True,
        problems=(Refused, Busy),
    ),
    Operation(
        "GET",
        "/v1/sightings",
        name="list-sightings",
        summary="Who and what was seen, newest first",
        serve=list_sightings,
        takes=SightingsQuery,
        answers=Sightings,
        audited=True,
        example={"status": "unknown", "limit": 10},
        problems=(BadCursor,),
    ),
)
