"""Examples of answers, made of the examples, choices and limits of their fields."""

from collections.abc import Mapping
from typing import Any

JsonObject = dict[str, Any]
EXAMPLE_TIME = "2026-01-31T18:30:00Z"
_REFERENCE = "#/components/schemas/"
_DROP, _JOB = "0f6d2c7be1a94f8d93a5b0c4e7d8f921", "vigil-digits-1f2e3d4c5b6a"
_RELEASE = "5d0c41f2a9be77130c6b8e24d17f3a95"
_BY_FIELD: Mapping[str, Any] = {
    "active": _RELEASE,
    "body": '{"model": "faces", "source": "door-3", "s3": {"key": "live/faces/door-3/a.jpg"}}',
    "burn_rate": {"1h": 0.2},
    "caller": "7d5e3b1a-4c2f-4f0e-9a8b-6c5d4e3f2a1b",
    "card": {"model": {"name": "digits", "version": "1", "summary": "Handwritten digits"}},
    "chain": "chain-3",
    "checkpoint_error": "the signature does not match",
    "cursor": "eyJvIjoibGl2ZS9mYWNlcy9kb29yLTMifQ",
    "data": "9f86d081884c7d65",
    "description": "Live has every worker in use",
    "erased_at": EXAMPLE_TIME,
    "error": "Transient: list objects: SlowDown",
    "fields": {"key": "live/faces/door-3/5e884898da280471.jpg", "policy": "eyJleHBpcmF0aW9uIjog"},
    "filter": {"type": ["vigil.alert.raised"], "source": ["door-3"]},
    "good_ratio": {"1h": 0.999},
    "id": "8bba0e49-3f1d-4a57-9c26-1d2e3f4a5b6c",
    "job": _JOB,
    "key": "live/faces/door-3/frame.jpg",
    "mac": "p4Jq0v3kq7Jt3o0y7m2w5d1c9x8b6a4f2e0d1c3b5a7=",
    "message": "the file ends before its picture",
    "person": "p-0123456789ab",
    "photo_url": "https://photos.s3.amazonaws.com/live/faces/door-3/frame.jpg?X-Amz-Signature=0a1b",
    "previous": _RELEASE,
    "reason": "truncated-image",
    "reasons": ["quality: 0.93 (0.91-0.95), at least 0.90"],
    "release": _RELEASE,
    "resource_ids": {"person": "p-0123456789ab"},
    "reviewer": "7d5e3b1a-4c2f-4f0e-9a8b-6c5d4e3f2a1b",
    "role": "reviewer",
    "rule": "watch-listed",
    "run": _DROP,
    "stages": {_RELEASE: "active"},
    "state": "claimed",
    "status": "ok",
    "subject": "p-0123456789ab",
    "thumbnail_url": "https://api.example.org/v1/thumbnails/eyJkcm9wIjoiMGY2ZDJjN2JlMWE5",
    "toml": '[[rules]]\nname = "watch-listed"\nseverity = "critical"\nwhen = { tags = ["watch"] }\n',
    "url": "https://hooks.example.org/vigil",
    "version": "3a1f5c7e9b2d4f60",
}
"""Examples of fields whose schema has none, by the name of the field."""

_BY_TYPE: Mapping[str, Any] = {"boolean": False, "integer": 1, "number": 0.5}


def example_of(shape: Mapping[str, Any], schemas: Mapping[str, Any], field: str = "") -> Any:
    """A value of a JSON Schema; `schemas` are those that it refers to, by name."""
    shape = _resolved(shape, schemas)
    for name in ("examples", "enum"):
        if shape.get(name):
            return shape[name][0]
    if "const" in shape:
        return shape["const"]
    if "properties" in shape:
        parts = shape["properties"].items()
        return {name: example_of(part, schemas, name) for name, part in parts if name != "next"}
    if shape.get("format") == "date-time":
        return EXAMPLE_TIME
    kind = str(shape.get("type"))
    if kind == "array" and field not in _BY_FIELD:
        items = shape.get("prefixItems") or [shape["items"]] * shape.get("minItems", 1)
        return [example_of(one, schemas) for one in items]
    if kind in _BY_TYPE:
        return shape.get("minimum", _BY_TYPE[kind])
    return _BY_FIELD.get(field, {} if kind == "object" else field)


def _resolved(shape: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """The shape behind a reference, and the first choice that is not null."""
    if "$ref" in shape:
        own = {name: shape[name] for name in ("examples",) if name in shape}
        return _resolved({**schemas[shape["$ref"].removeprefix(_REFERENCE)], **own}, schemas)
    if "anyOf" in shape and "examples" not in shape:
        return _resolved(next(one for one in shape["anyOf"] if one != {"type": "null"}), schemas)
    return shape
