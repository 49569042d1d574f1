"""Schemas of an OpenAPI document → a module of TypedDicts."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from functions.api.openapi import openapi_document
from functions.api.routes import DOCUMENTED_OPERATIONS

MODULE_HEADER = '''"""The shapes of the API's requests and answers, written by `make openapi`."""

from typing import Any, Literal, NotRequired, TypedDict
'''

_SIMPLE_TYPES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def types_module(schemas: Mapping[str, Any]) -> str:
    """One TypedDict a schema, those that others use first."""
    ordered: dict[str, None] = {}
    for name in sorted(schemas):
        _add_with_references(name, schemas, ordered)
    return MODULE_HEADER + "".join(_type_definition(name, schemas[name]) for name in ordered)


def _add_with_references(name: str, schemas: Mapping[str, Any], ordered: dict[str, None]) -> None:
    for used in _references(schemas[name]):
        if used != name and used not in ordered:
            _add_with_references(used, schemas, ordered)
    ordered.setdefault(name)


def _type_definition(name: str, schema: Mapping[str, Any]) -> str:
    if "properties" not in schema:
        return f"\n\n{name} = {_python_type(schema)}\n"
    required = schema.get("required", ())
    lines = [f"\n\nclass {name}(TypedDict):\n"]
    if "description" in schema:
        lines.append(f'    """{schema["description"]}"""\n\n')
    for field, part in schema.get("properties", {}).items():
        kind = _python_type(part)
        lines.append(f"    {field}: {kind if field in required else f'NotRequired[{kind}]'}\n")
    return "".join(lines)


def _python_type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        kinds = [_python_type(option) for option in schema["anyOf"] if option != {"type": "null"}]
        return " | ".join(dict.fromkeys(kinds))
    if "enum" in schema:
        return f"Literal[{', '.join(_quoted(value) for value in schema['enum'])}]"
    match schema.get("type"):
        case "array":
            return f"list[{_python_type(schema['items'])}]" if "items" in schema else "list[Any]"
        case "object" if isinstance(schema.get("additionalProperties"), Mapping):
            return f"dict[str, {_python_type(schema['additionalProperties'])}]"
        case "object":
            return "dict[str, Any]"
        case str(kind):
            return _SIMPLE_TYPES[kind]
    return "Any"


def _quoted(value: str) -> str:
    return f'"{value}"'


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            yield str(schema["$ref"]).rsplit("/", 1)[-1]
        for part in schema.values():
            yield from _references(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _references(part)


# MERGED: The files that are written from the API's operations, and what must stand in each.

ROOT = Path(__file__).resolve().parents[2]
OPENAPI_PATH = ROOT / "docs" / "openapi.json"
TYPES_PATH = ROOT / "clients" / "python" / "vigil_client" / "types.py"


def generated_files() -> dict[Path, str]:
    """Each file's text."""
    document_body = openapi_document(DOCUMENTED_OPERATIONS)
    text = json.dumps(document_body, indent=2, ensure_ascii=False) + "\n"
    return {OPENAPI_PATH: text, TYPES_PATH: types_module(document_body["components"]["schemas"])}


# MERGED: `make openapi`: after a change of the API's shapes.

if __name__ == "__main__":
    for path, text in generated_files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
