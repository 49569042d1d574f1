"""Requests by botocore's model of Rekognition: decoded from JSON, refused where they break a constraint."""

import base64
import binascii
import json
import math
import re
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape

from functions.api.rekognition.errors import InvalidParameter, RekognitionError

UNICODE_CLASSES = {r"\p{L}": r"\w", r"\p{N}": r"\d", r"\p{Z}": r"\s"}
"""Java's classes in the patterns of tags, and what is nearest in Python."""

SIZE_LIMITED_TYPES = ("string", "list", "map", "blob")


class MalformedRequest(RekognitionError):
    """The body is not JSON, or a value has another type than the model states."""

    def __init__(self, message: str) -> None:
        super().__init__("SerializationException", message)


@cache
def service_model() -> ServiceModel:
    """The model, read at the first request: 15 ms."""
    return ServiceModel(Loader().load_service_model("rekognition", "service-2"), "rekognition")


def parse_request(operation: str, body: bytes | str) -> dict[str, Any]:
    """The input of an operation. Raises MalformedRequest, InvalidParameter.

    Blobs are bytes. Members that the model does not have are ignored, as by AWS.
    """
    shape = service_model().operation_model(operation).input_shape
    try:
        document = json.loads(body or b"{}", parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedRequest("the body is not JSON") from error
    parsed: dict[str, Any] = _parse_value(shape, document, "")
    return parsed


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _parse_value(shape: Shape, value: Any, path: str) -> Any:
    parsed = _convert(shape, value, path)
    _check_constraints(shape, parsed, path)
    return parsed


def _convert(shape: Shape, value: Any, path: str) -> Any:
    """The value in Python's type for the shape. Raises MalformedRequest."""
    match shape, value:
        case StructureShape(), dict():
            return _parse_structure(shape, value, path)
        case ListShape(), list():
            return [_parse_value(shape.member, one, f"{path}.{index + 1}") for index, one in enumerate(value)]
        case MapShape(), dict():
            return {
                _parse_value(shape.key, key, f"{path} key"): _parse_value(shape.value, one, f"{path}.{key}")
                for key, one in value.items()
            }
        case StringShape(), str():
            return _check_text(value, path)
        case _, str() if shape.type_name == "blob":
            return _decode_blob(value, path)
        case _, bool() if shape.type_name == "boolean":
            return value
        case _, int() if shape.type_name in ("integer", "long") and not isinstance(value, bool):
            return value
        case _, int() | float() if shape.type_name in ("float", "double") and not isinstance(value, bool):
            return _check_finite(value, path)
    raise MalformedRequest(f"{path or 'the body'} must be a {shape.type_name}")


def _parse_structure(shape: StructureShape, value: dict[str, Any], path: str) -> dict[str, Any]:
    present = {name: one for name, one in value.items() if one is not None and name in shape.members}
    missing = [name for name in shape.required_members if name not in present]
    if missing:
        raise InvalidParameter(f"{path}.{missing[0]} must not be null".removeprefix("."))
    return {
        name: _parse_value(shape.members[name], one, f"{path}.{name}".removeprefix("."))
        for name, one in present.items()
    }


def _check_text(value: str, path: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise MalformedRequest(f"{path} is not Unicode text") from error
    return value


def _decode_blob(value: str, path: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedRequest(f"{path} is not base64") from error


def _check_finite(value: float, path: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise MalformedRequest(f"{path} is too large a number")
    return number


def _check_constraints(shape: Shape, value: Any, path: str) -> None:
    """Raise InvalidParameter for a value that breaks length, range, pattern or enumeration."""
    limits = shape.metadata
    if shape.type_name in SIZE_LIMITED_TYPES:
        measure, what = len(value), "length"
    elif shape.type_name in ("integer", "long", "float", "double"):
        measure, what = value, "value"
    else:
        return
    if shape.type_name == "blob" and measure > limits.get("max", measure):
        raise RekognitionError("ImageTooLargeException", f"{path} has more than {limits['max']} bytes")
    if not limits.get("min", measure) <= measure <= limits.get("max", measure):
        allowed = f"{limits.get('min', 0)} to {limits.get('max', 'any number')}"
        raise InvalidParameter(f"{path} failed to satisfy constraint: {what} {allowed}")
    if "enum" in limits and value not in limits["enum"]:
        raise InvalidParameter(f"{path} failed to satisfy constraint: one of {', '.join(limits['enum'])}")
    if "pattern" in limits and not _pattern(limits["pattern"]).fullmatch(value):
        raise InvalidParameter(f"{path} failed to satisfy constraint: pattern {limits['pattern']}")


@cache
def _pattern(java: str) -> re.Pattern[str]:
    for theirs, ours in UNICODE_CLASSES.items():
        java = java.replace(theirs, ours)
    return re.compile(java)
