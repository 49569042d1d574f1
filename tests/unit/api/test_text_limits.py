"""Every text of every request has a limit, so that none is stored, compared or repeated without end."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from functions.api.operation import PATH_PARAMETERS
from functions.api.routes import DOCUMENTED_OPERATIONS
from functions.api.schemas.fields import TimestampParameter

REQUEST_MODELS = sorted(
    {one.request_model for one in DOCUMENTED_OPERATIONS if one.request_model is not None},
    key=lambda one: one.__name__,
)
TIME: TypeAdapter[Any] = TypeAdapter(TimestampParameter)


def texts(
    schema: dict[str, Any], definitions: dict[str, Any], place: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, schema) of each text in a JSON Schema."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    inner = [(place, one) for key in ("anyOf", "oneOf", "allOf") for one in schema.get(key, ())]
    inner += [(f"{place}.{name}", one) for name, one in schema.get("properties", {}).items()]
    inner += [(f"{place}[]", schema[key]) for key in ("items",) if key in schema]
    inner += [(f"{place}[]", one) for one in schema.get("prefixItems", ())]
    if isinstance(schema.get("additionalProperties"), dict):
        inner.append((f"{place}{{}}", schema["additionalProperties"]))
    for further, one in inner:
        yield from texts(one, definitions, further)
    if schema.get("type") == "string":
        yield place, schema


def is_limited(schema: dict[str, Any]) -> bool:
    """By a length, a list of values, or a pattern without repetitions that have no end."""
    return bool(schema.keys() & {"maxLength", "enum", "const"}) or is_bounded(schema.get("pattern", ""))


def is_bounded(pattern: str) -> bool:
    outside_classes = re.sub(r"\\.|\[[^]]*\]", "", pattern)
    return pattern.startswith("^") and pattern.endswith("$") and not re.search(r"[*+]|,}", outside_classes)


@pytest.mark.parametrize("model", REQUEST_MODELS, ids=lambda one: one.__name__)
def test_every_text_of_a_request_is_limited(model: type[BaseModel]):
    schema = model.model_json_schema()

    assert [place for place, one in texts(schema, schema.get("$defs", {})) if not is_limited(one)] == []


def test_every_path_parameter_is_limited():
    assert [name for name, (pattern, _) in PATH_PARAMETERS.items() if not is_bounded(f"^{pattern}$")] == []


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("1970-01-01T00:00:00Z", True),
        ("9000-12-31T23:59:59Z", True),
        ("1969-12-31T23:59:59Z", False),
        ("9001-01-01T00:00:00Z", False),
        ("0001-01-01T00:00:00+14:00", False),
        ("9999-12-31T23:59:59-12:00", False),
        ("2026-03-02T12:00:00", False),
        ("2026-03-02", False),
        ("1772452800", False),
        ("", False),
        ("2026-03-02T12:00:00Z" + "0" * 100_000, False),
        ("2026-03-02T12:00:00." + "0" * 100_000 + "Z", False),
    ],
)
def test_a_time_of_a_request_is_from_1970_to_9000_and_has_an_offset(text: str, accepted: bool):
    if accepted:
        assert TIME.validate_python(text).isoformat() == text.replace("Z", "+00:00")
    else:
        with pytest.raises(ValidationError):
            TIME.validate_python(text)
