"""One page of a list: rows that the caller may see, newest first, and a cursor to where it stopped."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.api import wiring
from functions.api.operation import Call
from functions.api.problems import BadCursor
from functions.api.schemas.shape import Page
from vigil.access.seals import Forged, seal, unseal

Row = dict[str, Any]
DAY = timedelta(days=1)
AT_ONCE = 250
ROWS_A_PAGE = 2000
"""How far one request looks for what passes the filters; then it answers with what it has, and a cursor."""


@dataclass(frozen=True, slots=True)
class Found:
    """Rows of one page; `next` leads on, None at the end."""

    rows: list[Row]
    next: str | None


def page(call: Call, query: Page, kind: str, wanted: Callable[[Row], bool], since: datetime | None) -> Found:
    """The page of a list ("drops", "sightings", "alerts") that the query asks for."""
    rows = wiring.records().listed(
        kind,
        since=since or datetime.now(UTC) - DAY,
        before=position(call, query, kind),
        at_once=_at_once(call, query),
    )
    return collect(call, query, kind, rows, wanted)


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


def before(row: Row, moment: datetime | None) -> bool:
    """Whether what a row tells of happened before a moment, where there is one."""
    return moment is None or datetime.fromisoformat(str(row["happened_at"])) < moment


def position(call: Call, query: Page, kind: str) -> str:
    """The place that the query's cursor names, "" where it brings none. Raises BadCursor."""
    return "" if query.cursor is None else opened(call, kind, _filters(query), query.cursor)


def cursor(call: Call, query: Page, kind: str, at: str) -> str:
    """A cursor that is good for this caller, this list and these filters."""
    return sealed(call, kind, _filters(query), at)


def opened(call: Call, kind: str, filters: Mapping[str, Any], text: str) -> str:
    """The place that was sealed. Raises BadCursor where it was for another caller, list or filter."""
    try:
        return str(unseal(text, purpose=_purpose(call, kind, filters), key=wiring.cursor_key()))
    except Forged as error:
        raise BadCursor from error


def sealed(call: Call, kind: str, filters: Mapping[str, Any], at: str) -> str:
    """A place in a list as text that says nothing."""
    return seal(at, purpose=_purpose(call, kind, filters), key=wiring.cursor_key())


def _purpose(call: Call, kind: str, filters: Mapping[str, Any]) -> str:
    told = json.dumps([call.caller.id, kind, filters], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def _at_once(call: Call, query: Page) -> int:
    """Rows a query: the page and one, which shows whether it is the last; many where most do not fit."""
    picky = call.caller.sources or _filters(query)
    return AT_ONCE if picky else query.limit + 1


def _filters(query: Page) -> dict[str, Any]:
    return query.model_dump(mode="json", exclude={"cursor", "limit", "since"}, exclude_none=True)
