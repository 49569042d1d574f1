"""Uploads and drops: a photo into a lane, and what became of it."""

import mimetypes
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from cloud.traces import GONE
from functions.api import wiring
from functions.api.operation import Call, Operation
from functions.api.paging import Row, before, page
from functions.api.problems import BadCursor, Forbidden, NotFound, Refused
from functions.api.schemas.drops import (
    Drop,
    Drops,
    DropsQuery,
    NewUpload,
    Sighting,
    Upload,
    Uploaded,
    Waiting,
    moment,
)
from functions.api.thumbnails import link
from vigil.access.seals import Forged, seal, unseal
from vigil.drops import Object, route

FORM_S = 300
STEP_S = 0.1
"""Between two looks of a long poll."""


def create_upload(call: Call, wanted: NewUpload) -> Upload:
    """A form that puts one photo into a lane, once, within five minutes."""
    if not call.caller.sees(wanted.source):
        raise Forbidden("your token is not for this source")
    card = wiring.cards().get(wanted.model)
    if card is None or wanted.suffix not in card.suffixes:
        known = ", ".join(wiring.cards()) if card is None else ", ".join(card.suffixes)
        raise Refused(
            f"not read here; there are: {known}", reason="unknown-model" if card is None else "wrong-type"
        )
    key = f"{wanted.lane}/{wanted.model}/{wanted.source}/{secrets.token_hex(16)}{wanted.suffix}"
    media = mimetypes.guess_type(f"a{wanted.suffix}")[0] or "application/octet-stream"
    form = wiring.photos().form(key, media=media, most_bytes=card.max_bytes, lasts_s=FORM_S)
    return Upload(
        upload=seal(key, purpose="upload", key=wiring.cursor_key()),
        url=form.url,
        fields=form.fields,
        most_bytes=card.max_bytes,
        expires_at=datetime.now(UTC) + timedelta(seconds=FORM_S),
    )


def get_upload(call: Call, query: Waiting) -> Uploaded:
    """The drop that an upload became."""
    try:
        key = str(unseal(call.path["upload"], purpose="upload", key=wiring.cursor_key()))
    except Forged as error:
        raise NotFound from error
    if not call.caller.sees(route(key)[1]):
        raise NotFound
    uri = f"s3://{wiring.photos().bucket}/{key}"
    row = polled(lambda: _newest_of(uri), query.wait)
    if row is None:
        return Uploaded(upload=call.path["upload"])
    return Uploaded(upload=call.path["upload"], drop=row["drop_id"], state=row["state"])


def get_drop(call: Call, query: Waiting) -> Drop:
    """One drop with what was seen in it; with `wait`, once it has ended."""
    drop = call.path["drop"]
    row = polled(lambda: wiring.records().whole(drop), query.wait)
    if row is None or not call.caller.sees(row["taken_from"]):
        raise NotFound
    seen = [seen_one(one, call) for one in row["seen"]]
    if "origin" not in row:
        seen = [one.model_copy(update={"thumbnail_url": None}) for one in seen]
    return shown(row, call, photo=_link(row), sightings=seen)


def list_drops(call: Call, query: DropsQuery) -> Drops:
    """Drops, newest first."""
    wanted = {"taken_from": query.source, "state": query.state, "lane": query.lane, "model": query.model}
    found = page(call, query, "drops", matching(wanted, query.until), query.since)
    return Drops(items=[shown(row, call) for row in found.rows], next=found.next)


def polled(look: Callable[[], Row | None], wait_s: int) -> Row | None:
    """Look until it is there and has ended, or the time is up."""
    ends = time.monotonic() + wait_s
    while True:
        row = look()
        if (row and row["state"] != "claimed") or time.monotonic() >= ends:
            return row
        time.sleep(STEP_S)


def matching(wanted: dict[str, Any], until: datetime | None) -> Callable[[Row], bool]:
    """Whether a row has each value that is asked for, and is of before a moment, where one is named."""
    asked = {name: value for name, value in wanted.items() if value is not None}
    return lambda row: all(row.get(name) == value for name, value in asked.items()) and before(row, until)


def shown(row: Row, call: Call, *, photo: str | None = None, sightings: list[Sighting] | None = None) -> Drop:
    """A drop's row as the API tells it."""
    return Drop(
        drop=row["drop_id"],
        state=row["state"],
        lane=row["lane"],
        model=row["model"],
        source=row["taken_from"],
        at=row["happened_at"],
        settled_at=moment(row.get("settled_at")),
        photo_url=photo,
        thumbnail_url=link(call, row["drop_id"]) if "origin" in row and "size_px" in row else None,
        sightings=sightings,
        **{name: row[name] for name in _AS_STORED if row.get(name) not in (None, "")},
    )


_AS_STORED = (
    "attempts",
    "stage",
    "release",
    "reason",
    "message",
    "size_px",
    "found",
    "alerts",
    "times_ms",
    "notes",
)


def seen_one(row: Row, call: Call) -> Sighting:
    """A sighting's row as the API tells it."""
    number = int(str(row["sk"]).removeprefix("sighting#"))
    forgotten = row["label"] == GONE
    return Sighting(
        sighting=f"{row['drop_id']}-{number}",
        drop=row["drop_id"],
        source=row["taken_from"],
        model=row["model"],
        at=row["happened_at"],
        status=row["status"],
        person=row.get("subject") if str(row.get("subject", "")).startswith("p-") else None,
        label=row["label"],
        score=row.get("score"),
        threshold=row.get("threshold"),
        box_px=row.get("box_px"),
        quality=row.get("quality"),
        faults=tuple(row.get("faults", ())),
        tags=tuple(sorted(row.get("tags", ()))),
        forgotten=forgotten,
        thumbnail_url=link(call, row["drop_id"], number) if "box_px" in row and not forgotten else None,
    )


def _newest_of(uri: str) -> Row | None:
    drops = wiring.records().of_object(uri)
    return wiring.records().drop(drops[0]) if drops else None


def _link(row: Row) -> str | None:
    return wiring.photos().link(Object(**row["origin"])) if "origin" in row else None


OPERATIONS = (
    Operation(
        "POST",
        "/v1/uploads",
        name="create-upload",
        summary="A form to upload one photo into a lane",
        serve=create_upload,
        role="operator",
        takes=NewUpload,
        answers=Upload,
        status=201,
        example={"source": "door-3", "suffix": ".jpg"},
        problems=(Refused,),
    ),
    Operation(
        "GET",
        "/v1/uploads/{upload}",
        name="get-upload",
        summary="The drop that an upload became",
        serve=get_upload,
        role="operator",
        takes=Waiting,
        answers=Uploaded,
        example={"wait": 20},
        problems=(NotFound,),
    ),
    Operation(
        "GET",
        "/v1/drops",
        name="list-drops",
        summary="Drops, newest first",
        serve=list_drops,
        takes=DropsQuery,
        answers=Drops,
        example={"state": "done", "limit": 10},
        problems=(BadCursor,),
    ),
    Operation(
        "GET",
        "/v1/drops/{drop}",
        name="get-drop",
        summary="One drop, its state and what was seen in it",
        serve=get_drop,
        takes=Waiting,
        answers=Drop,
        audited=True,
        example={"wait": 1},
        problems=(NotFound,),
    ),
)
