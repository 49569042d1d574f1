"""Converts plain values to DynamoDB's attribute values and back.

The serializer of boto3 takes no floats and loads the resource layer of boto3 at cold start.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

Item = dict[str, Any]


def to_attribute(value: Any) -> dict[str, Any]:
    """One attribute value; a time becomes ISO 8601 text. Sets hold strings and must not be empty."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | float():
            return {"N": repr(value)}
        case bytes():
            return {"B": value}
        case datetime():
            return {"S": value.isoformat()}
        case set() | frozenset():
            return {"SS": sorted(value)}
        case Mapping():
            return {"M": {name: to_attribute(part) for name, part in value.items()}}
        case list() | tuple():
            return {"L": [to_attribute(part) for part in value]}
    raise TypeError(f"no attribute value for {type(value).__name__}")


def to_item(values: Mapping[str, Any]) -> Item:
    """A row; values that are None or an empty set are left out."""
    return {
        name: to_attribute(value)
        for name, value in values.items()
        if value is not None and not (isinstance(value, set | frozenset) and not value)
    }


def from_attribute(attribute: Mapping[str, Any]) -> Any:
    """An attribute value as a plain one; numbers are int where they are whole, else float."""
    ((kind, value),) = attribute.items()
    match kind:
        case "NULL":
            return None
        case "N":
            return int(value) if value.lstrip("-").isdigit() else float(value)
        case "SS":
            return frozenset(value)
        case "M":
            return from_item(value)
        case "L":
            return [from_attribute(part) for part in value]
        case "B":
            return bytes(value)
    return value


def from_item(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as plain values."""
    return {name: from_attribute(attribute) for name, attribute in row.items()}
