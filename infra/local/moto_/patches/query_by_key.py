"""moto answers a Query by sorting and copying the whole table; AWS reads the items of one key; moto would
have to select by the partition key before it sorts, copies and measures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import RESULT_SIZE_LIMIT, Table

_SUPPORTED_ARGUMENTS = {"hash_key_conditions", "range_key_conditions"}


def patch_queries() -> None:
    """Replace the query method of moto's tables."""
    Table.query = _query_by_key(Table.query)  # type: ignore[method-assign]


def _query_by_key(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def queried(table: Table, *positional: Any, **named: Any) -> Any:
        key, comparison, bounds, limit, start, forward, projection, index, consistent, filter_expression = (
            positional
        )
        if named.keys() - _SUPPORTED_ARGUMENTS or (index and consistent):
            return original(
                table, *positional, **named
            )  # legacy filters, or a query that moto refuses with AWS's error
        names = _key_attributes(table, index)
        rows = _sorted_rows(_rows_with_key(table, names[0], key), names[1:], forward=forward)
        following = _rows_after(rows, names[1:], start, forward=forward)
        found, more = _first_page(_matching_rows(following, names[1:], comparison, bounds), limit)
        last = table._get_last_evaluated_key(found[-1], index) if more else None
        projected = [table.get_index(index).project(row) for row in found] if index else found
        projected = [row for row in projected if filter_expression is None or filter_expression.expr(row)]
        return [row.project(projection) if projection else row for row in projected], len(found), last

    return queried


def _key_attributes(table: Table, index: str | None) -> list[str]:
    """Return the key attributes of the table or index, the partition key first."""
    keys = [key["AttributeName"] for key in table.get_index(index).schema] if index else []
    return [name for name in (*keys, table.hash_key_attr, table.range_key_attr) if name]


def _rows_with_key(table: Table, name: str, key: DynamoType) -> Iterator[Item]:
    """Yield the rows with a partition key; for an index all rows are searched."""
    own = name == table.hash_key_attr
    groups: Any = [table.items.get(key, {})] if own and table.has_range_key else table.items.values()
    for group in groups:
        for row in group.values() if table.has_range_key else (group,):
            attribute = row.attrs.get(name)
            if attribute is not None and attribute.value == key.value:
                yield row


def _sorted_rows(rows: Iterator[Item], names: Sequence[str], *, forward: bool) -> list[Item]:
    """Sort the rows that have all key attributes; others are not in the index."""
    complete_rows = (row for row in rows if all(name in row.attrs for name in names))
    return sorted(complete_rows, key=lambda row: _sort_key(row.attrs, names), reverse=not forward)


def _sort_key(attributes: Mapping[str, DynamoType], names: Sequence[str]) -> list[Any]:
    values = (attributes[name] for name in names)
    return [one.value if one.type == "S" else one.cast_value for one in values]


def _rows_after(
    rows: list[Item], names: Sequence[str], start: Mapping[str, Any] | None, *, forward: bool
) -> list[Item]:
    """Return the rows after the last evaluated key."""
    if start is None:
        return rows
    ended = _sort_key({name: DynamoType(start[name]) for name in names}, names)
    return [
        row
        for row in rows
        if (sort_key := _sort_key(row.attrs, names)) != ended and (sort_key > ended) is forward
    ]


def _matching_rows(
    rows: list[Item], names: Sequence[str], comparison: str | None, bounds: Sequence[DynamoType]
) -> Iterator[Item]:
    return (row for row in rows if comparison is None or row.attrs[names[0]].compare(comparison, bounds))


def _first_page(rows: Iterator[Item], limit: int | None) -> tuple[list[Item], bool]:
    """Return the rows of one page, and whether more follow."""
    selected: list[Item] = []
    size = 0
    for row in rows:
        size += row.size()
        if len(selected) == limit or size > RESULT_SIZE_LIMIT:
            return selected, True
        selected.append(row)
    return selected, False
