"""Queries that look at the rows they are about; moto sorts a whole table for each, type by type."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from itertools import islice
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table


def narrow() -> None:
    """From here on, in this process."""
    Table.query = _narrowed(Table.query)  # type: ignore[method-assign]


def _narrowed(query: Callable[..., Any]) -> Callable[..., Any]:
    """moto's own query, asked of a table without the rows that cannot be in its answer."""

    @wraps(query)
    def queried(table: Table, *asked: Any, **named: Any) -> Any:
        key, comparison, bounds, limit, start, forward, _, index = asked[:8]
        names = _names(table, index)
        rows = _sorted(_under(table, names[0], key), names[1:], forward=forward)
        if limit and start is None:
            rows = list(islice(_fitting(rows, names[1:], comparison, bounds), limit + 1))
        small: Any = copy.copy(table)
        small.all_items = lambda: rows
        return query(small, *asked, **named)

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
    return sorted(whole, key=lambda row: [_place(row.attrs[name]) for name in names], reverse=not forward)


def _place(attribute: DynamoType) -> Any:
    return attribute.value if attribute.type == "S" else attribute.cast_value


def _fitting(
    rows: list[Item], names: Sequence[str], comparison: str | None, bounds: Sequence[DynamoType]
) -> Iterator[Item]:
    return (row for row in rows if comparison is None or row.attrs[names[0]].compare(comparison, bounds))
