"""Schemas of an OpenAPI document → a module of TypedDicts."""

from collections.abc import Iterator, Mapping
from typing import Any

HEAD = '''"""The shapes of the API's requests and answers, written by `python -m infra.describe`."""

from typing import Any, Literal, NotRequired, TypedDict
'''

_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def module(schemas: Mapping[str, Any]) -> str:
    """One TypedDict a schema, those that others use first."""
    ordered: dict[str, None] = {}
    for name in sorted(schemas):
        _place(name, schemas, ordered)
    return HEAD + "".join(_shape(name, schemas[name]) for name in ordered)


def _place(name: str, schemas: Mapping[str, Any], ordered: dict[str, None]) -> None:
    for used in _used(schemas[name]):
        if used != name and used not in ordered:
            _place(used, schemas, ordered)
    ordered.setdefault(name)


def _shape(name: str, schema: Mapping[str, Any]) -> str:
    if "properties" not in schema:
        return f"\n\n{name} = {_type(schema)}\n"
    required = schema.get("required", ())
    lines = [f"\n\nclass {name}(TypedDict):\n"]
    if "description" in schema:
        lines.append(f'    """{schema["description"]}"""\n\n')
    for field, part in schema.get("properties", {}).items():
        kind = _type(part)
        lines.append(f"    {field}: {kind if field in required else f'NotRequired[{kind}]'}\n")
    return "".join(lines)


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        kinds = [_type(option) for option in schema["anyOf"] if option != {"type": "null"}]
        return " | ".join(dict.fromkeys(kinds))
    if "enum" in schema:
        return f"Literal[{', '.join(_quoted(value) for value in schema['enum'])}]"
    match schema.get("type"):
        case "array":
            return f"list[{_type(schema['items'])}]" if "items" in schema else "list[Any]"
        case "object" if isinstance(schema.get("additionalProperties"), Mapping):
            return f"dict[str, {_type(schema['additionalProperties'])}]"
        case "object":
            return "dict[str, Any]"
        case str(kind):
            return _PLAIN[kind]
    return "Any"


def _quoted(value: str) -> str:
    return f'"{value}"'


def _used(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            yield str(schema["$ref"]).rsplit("/", 1)[-1]
        for part in schema.values():
            yield from _used(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _used(part)
