"""Plain values to DynamoDB's attribute values and back.

boto3 has a serializer, but it takes no floats and loads boto3's whole resource layer at cold start.
"""

from collections.abc import Mapping
from typing import Any

Item = dict[str, Any]


def value(thing: Any) -> dict[str, Any]:
    """One attribute value. Sets hold strings; an empty set cannot be stored: leave it out."""
    match thing:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": thing}
        case str():
            return {"S": thing}
        case int() | float():
            return {"N": repr(thing)}
        case bytes():
            return {"B": thing}
        case set() | frozenset():
            return {"SS": sorted(thing)}
        case Mapping():
            return {"M": {name: value(part) for name, part in thing.items()}}
        case list() | tuple():
            return {"L": [value(part) for part in thing]}
    raise TypeError(f"no attribute value for {type(thing).__name__}")


def item(fields: Mapping[str, Any]) -> Item:
    """A row; fields that are None or an empty set are left out."""
    return {
        name: value(thing)
        for name, thing in fields.items()
        if thing is not None and not (isinstance(thing, set | frozenset) and not thing)
    }


def plain(attribute: Mapping[str, Any]) -> Any:
    """An attribute value as a plain one; numbers are int where they are whole, else float."""
    ((kind, thing),) = attribute.items()
    match kind:
        case "NULL":
            return None
        case "N":
            return int(thing) if thing.lstrip("-").isdigit() else float(thing)
        case "SS":
            return frozenset(thing)
        case "M":
            return fields(thing)
        case "L":
            return [plain(part) for part in thing]
        case "B":
            return bytes(thing)
    return thing


def fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as plain values."""
    return {name: plain(attribute) for name, attribute in row.items()}
