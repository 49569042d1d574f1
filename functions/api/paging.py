"""One page of a list: rows that the caller may see, newest first, and a cursor to where it stopped."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.api import wiring
from functions.api.operation import Call
from functions.api.problems import BadCursor
from functions.api.schemas.shape import Page
from vigil.access.seals import Forged, seal, unseal

Row = dict[str, Any]
DAYS_A_PAGE = 7
ROWS_A_PAGE = 2000
DAY = timedelta(days=1)
"""How far one request looks for what passes the filters; then it answers with what it has, and a cursor."""


@dataclass(frozen=True, slots=True)
class Found:
    """Rows of one page; `next` leads on, None at the end."""

    rows: list[Row]
    next: str | None


def page(call: Call, query: Page, kind: str, wanted: Callable[[Row], bool], since: datetime | None) -> Found:
    """The page of a day's lists ("drops", "sightings", "alerts") that the query asks for."""
    before = position(call, query, kind)
    now = datetime.now(UTC)
    start = min(now, datetime.fromisoformat(before.split("#")[0])) if before else now
    oldest = since or now - DAY
    days = min(DAYS_A_PAGE, max(1, (start.date() - oldest.astimezone(UTC).date()).days + 1))
    rows = wiring.records().listed(
        kind, today=start.date(), days=days, before=before, at_once=query.limit + 1
    )
    found = collect(call, query, kind, _not_before(rows, oldest), wanted)
    ends = datetime.combine(start.date() - timedelta(days=days - 1), datetime.min.time(), UTC)
    if found.next is None and ends > oldest and len(found.rows) <= query.limit:
        return Found(found.rows, cursor(call, query, kind, ends.isoformat()))
    return found


def collect(call: Call, query: Page, kind: str, rows: Iterator[Row], wanted: Callable[[Row], bool]) -> Found:
    """As many rows as the page takes, of those that are wanted and the caller's to see."""
    kept: list[Row] = []
    last = ""
    for number, row in enumerate(rows):
        if len(kept) == query.limit or number == ROWS_A_PAGE:
            return Found(kept, cursor(call, query, kind, last))
        last = str(row["list_at"])
        if call.caller.sees(str(row["taken_from"])) and wanted(row):
            kept.append(row)
    return Found(kept, None)


def position(call: Call, query: Page, kind: str) -> str:
    """The place that the query's cursor names, "" where it brings none. Raises BadCursor."""
    if query.cursor is None:
        return ""
    try:
        return str(unseal(query.cursor, purpose=_purpose(call, query, kind), key=wiring.cursor_key()))
    except Forged as error:
        raise BadCursor from error


def cursor(call: Call, query: Page, kind: str, at: str) -> str:
    """A cursor that is good for this caller, this list and these filters."""
    return seal(at, purpose=_purpose(call, query, kind), key=wiring.cursor_key())


def _purpose(call: Call, query: Page, kind: str) -> str:
    filters = query.model_dump(mode="json", exclude={"cursor", "limit", "since"})
    told = json.dumps([call.caller.id, kind, filters], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def _not_before(rows: Iterator[Row], oldest: datetime) -> Iterator[Row]:
    for row in rows:
        if datetime.fromisoformat(str(row["list_at"]).split("#")[0]) < oldest:
            return
        yield row
