"""Queries that look at the rows they are about.

For each, moto sorts a whole table, compares type by type, copies what it found and weighs it three times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import RESULT_SIZE_LIMIT, Table

_KNOWN = {"hash_key_conditions", "range_key_conditions"}


def narrow() -> None:
    """From here on, in this process."""
    Table.query = _narrowed(Table.query)  # type: ignore[method-assign]


def _narrowed(slow: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(slow)
    def queried(table: Table, *asked: Any, **named: Any) -> Any:
        key, comparison, bounds, limit, start, forward, projection, index, consistent, wanted = asked
        if named.keys() - _KNOWN or (index and consistent):
            return slow(table, *asked, **named)  # filters of old, or what it refuses in AWS's words
        names = _names(table, index)
        rows = _sorted(_under(table, names[0], key), names[1:], forward=forward)
        later = _after(rows, names[1:], start, forward=forward)
        found, more = _page(_fitting(later, names[1:], comparison, bounds), limit)
        last = table._get_last_evaluated_key(found[-1], index) if more else None
        shown = [table.get_index(index).project(row) for row in found] if index else found
        shown = [row for row in shown if wanted is None or wanted.expr(row)]
        return [row.project(projection) if projection else row for row in shown], len(found), last

    return queried


def _names(table: Table, index: str | None) -> list[str]:
    """The attributes by which rows are found and sorted: first the one that is asked for."""
    keys = [key["AttributeName"] for key in table.get_index(index).schema] if index else []
    return [name for name in (*keys, table.hash_key_attr, table.range_key_attr) if name]


def _under(table: Table, name: str, key: DynamoType) -> Iterator[Item]:
    """A table's own partition is at hand; an index is looked for among all rows."""
    own = name == table.hash_key_attr
    groups: Any = [table.items.get(key, {})] if own and table.has_range_key else table.items.values()
    for group in groups:
        for row in group.values() if table.has_range_key else (group,):
            held = row.attrs.get(name)
            if held is not None and held.value == key.value:
                yield row


def _sorted(rows: Iterator[Item], names: Sequence[str], *, forward: bool) -> list[Item]:
    """Only rows that have all of an index's keys are in it."""
    whole = (row for row in rows if all(name in row.attrs for name in names))
    return sorted(whole, key=lambda row: _place(row.attrs, names), reverse=not forward)


def _place(attributes: Mapping[str, DynamoType], names: Sequence[str]) -> list[Any]:
    held = (attributes[name] for name in names)
    return [one.value if one.type == "S" else one.cast_value for one in held]


def _after(
    rows: list[Item], names: Sequence[str], start: Mapping[str, Any] | None, *, forward: bool
) -> list[Item]:
    """Those that come after where the last page ended."""
    if start is None:
        return rows
    ended = _place({name: DynamoType(start[name]) for name in names}, names)
    return [
        row for row in rows if (place := _place(row.attrs, names)) != ended and (place > ended) is forward
    ]


def _fitting(
    rows: list[Item], names: Sequence[str], comparison: str | None, bounds: Sequence[DynamoType]
) -> Iterator[Item]:
    return (row for row in rows if comparison is None or row.attrs[names[0]].compare(comparison, bounds))


def _page(rows: Iterator[Item], limit: int | None) -> tuple[list[Item], bool]:
    """As many as one answer takes, and whether there are more."""
    taken: list[Item] = []
    size = 0
    for row in rows:
        size += row.size()
        if len(taken) == limit or size > RESULT_SIZE_LIMIT:
            return taken, True
        taken.append(row)
    return taken, False
