"""One page of a list: rows that the caller may see, newest first, and a cursor to where it stopped."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.api.operation import Call
from functions.api.problems import InvalidCursor
from functions.api.schemas.fields import PageQuery
from functions.runtime.container import container
from vigil.access.signing import InvalidSignature, sign_value, verify_value

Row = dict[str, Any]
DEFAULT_PERIOD = timedelta(days=1)
FILTERED_BATCH_SIZE = 250
MAX_ROWS_READ = 2000
"""How far one request looks for what passes the filters; then it answers with what it has, and a cursor."""


@dataclass(frozen=True, slots=True)
class PageRows:
    """Rows of one page; `next` leads on, None at the end."""

    rows: list[Row]
    next: str | None


def read_page(
    call: Call, query: PageQuery, kind: str, matches: Callable[[Row], bool], since: datetime | None
) -> PageRows:
    """The page of a list ("drops", "sightings", "alerts") that the query asks for."""
    rows = container().drop_reader.list_rows(
        kind,
        since=since or datetime.now(UTC) - DEFAULT_PERIOD,
        before=start_position(call, query, kind),
        page_size=_batch_size(call, query),
    )
    return collect_page(call, query, kind, rows, matches)


def collect_page(
    call: Call, query: PageQuery, kind: str, rows: Iterator[Row], matches: Callable[[Row], bool]
) -> PageRows:
    """As many rows as the page takes, of those that are wanted and the caller's to see."""
    selected: list[Row] = []
    last = ""
    for number, row in enumerate(rows):
        if len(selected) == query.limit or number == MAX_ROWS_READ:
            return PageRows(selected, next_cursor(call, query, kind, last))
        last = str(row["list_at"])
        if call.caller.can_access_source(str(row["source"])) and matches(row):
            selected.append(row)
    return PageRows(selected, None)


def is_before(row: Row, moment: datetime | None) -> bool:
    """Whether what a row tells of happened before a moment, where there is one."""
    return moment is None or datetime.fromisoformat(str(row["occurred_at"])) < moment


def start_position(call: Call, query: PageQuery, kind: str) -> str:
    """The place that the query's cursor names, "" where it brings none. Raises BadCursor."""
    return "" if query.cursor is None else verify_cursor(call, kind, _cursor_filters(query), query.cursor)


def next_cursor(call: Call, query: PageQuery, kind: str, at: str) -> str:
    """A cursor that is good for this caller, this list and these filters."""
    return sign_cursor(call, kind, _cursor_filters(query), at)


def verify_cursor(call: Call, kind: str, filters: Mapping[str, Any], text: str) -> str:
    """The place that was sealed. Raises BadCursor where it was for another caller, list or filter."""
    try:
        return str(
            verify_value(text, purpose=_cursor_purpose(call, kind, filters), key=container().signing_key)
        )
    except InvalidSignature as error:
        raise InvalidCursor from error


def sign_cursor(call: Call, kind: str, filters: Mapping[str, Any], at: str) -> str:
    """A place in a list as text that says nothing."""
    return sign_value(at, purpose=_cursor_purpose(call, kind, filters), key=container().signing_key)


def _cursor_purpose(call: Call, kind: str, filters: Mapping[str, Any]) -> str:
    text = json.dumps([call.caller.id, kind, filters], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _batch_size(call: Call, query: PageQuery) -> int:
    """Rows a query: the page and one, which shows whether it is the last; many where most do not fit."""
    is_filtered = call.caller.sources or _cursor_filters(query)
    return FILTERED_BATCH_SIZE if is_filtered else query.limit + 1


def _cursor_filters(query: PageQuery) -> dict[str, Any]:
    return query.model_dump(mode="json", exclude={"cursor", "limit", "since"}, exclude_none=True)
