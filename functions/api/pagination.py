"""Pages of lists: rows that the caller may access, and a signed cursor for the next page."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

from functions.api.operation import Call
from functions.api.problems import InvalidCursor
from functions.api.schemas.fields import PageQuery
from functions.runtime.container import container
from vigil.access.signing import InvalidSignature, sign_value, verify_value

DEFAULT_PERIOD = timedelta(days=1)
FILTERED_BATCH_SIZE = 250
MAX_ROWS_READ = 2000
"""Rows that one request reads at most; a page may have fewer items than its limit, and still a cursor."""


class ListedRow(Protocol):
    """A drop, sighting or alert of the records table, with its position in the list of its kind."""

    @property
    def list_at(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def occurred_at(self) -> datetime: ...


Row = TypeVar("Row", bound=ListedRow)
Row_co = TypeVar("Row_co", bound=ListedRow, covariant=True)


class ListRows(Protocol[Row_co]):
    """Lists rows of one kind, newest first, beginning before a position in the list."""

    def __call__(self, *, since: datetime, before: str, page_size: int) -> Iterator[Row_co]: ...


@dataclass(frozen=True, slots=True)
class PageRows(Generic[Row]):
    """Rows of one page; `next` is the cursor of the next page, None on the last one."""

    rows: list[Row]
    next: str | None


def read_page(
    call: Call,
    query: PageQuery,
    kind: str,
    matches: Callable[[Row], bool],
    *,
    list_rows: ListRows[Row],
    since: datetime | None,
) -> PageRows[Row]:
    """Read a page of the list `kind`: "drops", "sightings" or "alerts"."""
    rows = list_rows(
        since=since or datetime.now(UTC) - DEFAULT_PERIOD,
        before=start_position(call, query, kind),
        page_size=_batch_size(call, query),
    )
    return collect_page(call, query, kind, rows, matches)


def collect_page(
    call: Call, query: PageQuery, kind: str, rows: Iterable[Row], matches: Callable[[Row], bool]
) -> PageRows[Row]:
    """Take rows that match and that the caller may access, up to the limit of the page."""
    selected: list[Row] = []
    last = ""
    for number, row in enumerate(rows):
        if len(selected) == query.limit or number == MAX_ROWS_READ:
            return PageRows(selected, next_cursor(call, query, kind, last))
        last = row.list_at
        if call.caller.can_access_source(row.source) and matches(row):
            selected.append(row)
    return PageRows(selected, None)


def row_filter(query: PageQuery, *names: str) -> Callable[[ListedRow], bool]:
    """A filter for rows whose attributes equal the query's fields of these names, and before `until`."""
    active = {name: value for name in names if (value := getattr(query, name)) is not None}
    until = getattr(query, "until", None)
    return lambda row: (
        is_before(row, until) and all(getattr(row, name) == value for name, value in active.items())
    )


def is_before(row: ListedRow, moment: datetime | None) -> bool:
    """Whether the row's event happened before the moment; True without a moment."""
    return moment is None or row.occurred_at < moment


def start_position(call: Call, query: PageQuery, kind: str) -> str:
    """The position in the query's cursor, "" without a cursor. Raises InvalidCursor."""
    return "" if query.cursor is None else verify_cursor(call, kind, _cursor_filters(query), query.cursor)


def next_cursor(call: Call, query: PageQuery, kind: str, at: str) -> str:
    """A cursor that is valid for this caller, list and filters."""
    return sign_cursor(call, kind, _cursor_filters(query), at)


def verify_cursor(call: Call, kind: str, filters: Mapping[str, Any], text: str) -> str:
    """The signed position. Raises InvalidCursor if it is of another caller, list or filter."""
    try:
        return str(
            verify_value(text, purpose=_cursor_purpose(call, kind, filters), key=container().signing_key)
        )
    except InvalidSignature as error:
        raise InvalidCursor from error


def sign_cursor(call: Call, kind: str, filters: Mapping[str, Any], at: str) -> str:
    """An opaque cursor for a position in a list."""
    return sign_value(at, purpose=_cursor_purpose(call, kind, filters), key=container().signing_key)


def _cursor_purpose(call: Call, kind: str, filters: Mapping[str, Any]) -> str:
    text = json.dumps([call.caller.id, kind, filters], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _batch_size(call: Call, query: PageQuery) -> int:
    """Rows per database query: one more than the page, to detect the last page; more with filters."""
    is_filtered = call.caller.is_bound or _cursor_filters(query)
    return FILTERED_BATCH_SIZE if is_filtered else query.limit + 1


def _cursor_filters(query: PageQuery) -> dict[str, Any]:
    return query.model_dump(mode="json", exclude={"cursor", "limit", "since"}, exclude_none=True)
