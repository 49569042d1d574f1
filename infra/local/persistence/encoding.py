"""Values of the state file as JSON: builtin types, and the few classes of moto that its objects consist of.

A file that somebody else wrote can make the local cloud create these objects, and run nothing.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from moto.s3.models import FakeAcl, FakeGrant, FakeGrantee
from moto.utilities.utils import LowercaseDict

_OBJECTS = {one.__name__: one for one in (FakeAcl, FakeGrant, FakeGrantee, LowercaseDict)}
_TAG, _CONTENT = "$type", "$"


class NotEncoded(ValueError):
    """The bytes are no value of a state file."""


def encode(value: Any) -> bytes:
    """The value as JSON; equal values have equal bytes. Raises TypeError for a value of another type."""
    return json.dumps(_to_json(value), separators=(",", ":")).encode()


def decode(data: bytes) -> Any:
    """The value of `encode`. Raises NotEncoded."""
    try:
        return _from_json(json.loads(data))
    except (ValueError, KeyError, TypeError) as error:
        raise NotEncoded(str(error)) from error


def _to_json(value: Any) -> Any:
    if type(value) in _OBJECTS.values():
        return _tagged(type(value).__name__, _to_json(vars(value)))
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list():
            return [_to_json(one) for one in value]
        case Mapping() if all(type(key) is str for key in value) and _TAG not in value:
            return {key: _to_json(one) for key, one in value.items()}
        case Mapping():
            return _tagged("dict", [[_to_json(key), _to_json(one)] for key, one in value.items()])
        case tuple():
            return _tagged("tuple", [_to_json(one) for one in value])
        case set():
            return _tagged("set", sorted((_to_json(one) for one in value), key=json.dumps))
        case bytes():
            return _tagged("bytes", base64.b64encode(value).decode())
        case datetime():
            return _tagged("datetime", value.isoformat())
        case Decimal():
            return _tagged("Decimal", str(value))
    raise TypeError(f"the state file has no form for {type(value).__module__}.{type(value).__name__}")


def _tagged(name: str, content: Any) -> dict[str, Any]:
    return {_TAG: name, _CONTENT: content}


def _from_json(node: Any) -> Any:
    match node:
        case list():
            return [_from_json(one) for one in node]
        case {"$type": str(name)}:
            return _restored(name, node[_CONTENT])
        case dict():
            return {key: _from_json(one) for key, one in node.items()}
    return node


_BUILTIN: Mapping[str, Callable[[Any], Any]] = {
    "dict": lambda pairs: {_from_json(key): _from_json(one) for key, one in pairs},
    "tuple": lambda items: tuple(map(_from_json, items)),
    "set": lambda items: set(map(_from_json, items)),
    "bytes": base64.b64decode,
    "datetime": datetime.fromisoformat,
    "Decimal": Decimal,
}


def _restored(name: str, content: Any) -> Any:
    if name in _BUILTIN:
        return _BUILTIN[name](content)
    restored = object.__new__(_OBJECTS[name])
    vars(restored).update(_from_json(content))
    return restored
