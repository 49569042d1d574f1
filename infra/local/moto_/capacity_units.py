"""What DynamoDB charges for reads and writes: units by the size of an item, and by the indexes that it is in.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html (write capacity of an index)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

Item = Mapping[str, Any]
"""Attributes in the form of the wire: {"name": {"S": "value"}}."""

_WRITE_UNIT, _READ_UNIT = 1024, 4096


@dataclass(frozen=True, slots=True)
class Index:
    """An index; `projected` are the attributes that it holds besides the keys, or None for all."""

    name: str
    keys: tuple[str, ...]
    projected: frozenset[str] | None

    def entry(self, item: Item | None, table_keys: Sequence[str]) -> Item | None:
        """What the index holds of an item; None if the item lacks a key of the index."""
        if item is None or any(key not in item for key in self.keys):
            return None
        held = None if self.projected is None else {*self.projected, *self.keys, *table_keys}
        return {name: value for name, value in item.items() if held is None or name in held}


def item_size(item: Item) -> int:
    """Bytes of an item: names and values in UTF-8, numbers by their digits, 3 bytes for a list or map."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(attribute: Mapping[str, Any]) -> int:
    ((kind, value),) = attribute.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":
            return _number_size(value)
        case "B":
            return _binary_size(value)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(part) for name, part in value.items())
        case "L":
            return 3 + sum(1 + _value_size(part) for part in value)
        case "SS" | "NS" | "BS":
            return sum(_value_size({kind[0]: one}) for one in value)
    return 1  # NULL, BOOL


def _number_size(text: str) -> int:
    """About one byte for two significant digits, and one more."""
    digits = str(text).lower().partition("e")[0].lstrip("-").replace(".", "").strip("0")
    return 1 + ceil(len(digits) / 2)


def _binary_size(value: bytes | str) -> int:
    """The raw bytes, which are in Base64 on the wire."""
    return len(value) if isinstance(value, bytes) else len(value.rstrip("=")) * 3 // 4


def read_units(sizes: Sequence[int], *, consistent: bool, transactional: bool = False) -> float:
    """Units of one Query or GetItem of these items; a missing item counts like a small one."""
    units = max(1, ceil(sum(sizes) / _READ_UNIT))
    return units * (2 if transactional else 1 if consistent else 0.5)


def write_units(
    before: Item | None,
    after: Item | None,
    *,
    table_keys: Sequence[str],
    indexes: Sequence[Index],
    transactional: bool = False,
) -> dict[str, int]:
    """Units of one write by index; "" is the table itself.

    A transaction doubles the units of the table, not those of its indexes, which it does not write itself:
    measured on DynamoDB in https://github.com/nubo-db/dynoxide/pull/188.
    """
    units = {"": _units(before, after) * (2 if transactional else 1)}
    for index in indexes:
        old, new = index.entry(before, table_keys), index.entry(after, table_keys)
        if old == new:
            continue
        moved = old is not None and new is not None and any(old[key] != new[key] for key in index.keys)
        units[index.name] = _units(old, None) + _units(None, new) if moved else _units(old, new)
    return units


def _units(before: Item | None, after: Item | None) -> int:
    """An update costs by the larger of both sizes, a delete by what it deletes."""
    return max([1, *(ceil(item_size(one) / _WRITE_UNIT) for one in (before, after) if one is not None)])
