"""Table rows stay in cloud.dynamodb: other code reads typed views and never names a DynamoDB attribute."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

from cloud.dynamodb.schema import IDEMPOTENCY, KEY_ATTRIBUTES, ROW_KINDS, TTL_ATTRIBUTES
from tests.architecture.source import parse

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("functions", "layers/vigil", "layers/cloud", "clients")
ROWS = (ROOT / "layers/cloud/dynamodb",)
"""The modules that read and write rows."""

SNAPSHOTS = (ROOT / "layers/vigil/faces/segments.py",)
"""The header of a gallery snapshot has a field of the same name as an attribute."""

JSON_IMPORTERS = {
    "access/audit.py",
    "access/signing.py",
    "drops/messages.py",
    "faces/segments.py",
    "inference/release.py",
    "reliability/reconcile.py",
}
"""The modules of the core that still read or write JSON; no other may begin to."""


def test_no_dynamodb_attribute_is_read_outside_cloud_dynamodb():
    names = _attributes() - _json_fields()
    found = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path, line, name in _string_keys()
        if name in names and not any(path == place or place in path.parents for place in (*ROWS, *SNAPSHOTS))
    ]

    assert {"subject_id", "drop_id", "list_at", "sighting_numbers"} <= names
    assert found == []


def test_no_other_module_of_the_core_imports_json():
    core = ROOT / "layers" / "vigil"
    importers = {
        str(path.relative_to(core))
        for path in core.rglob("*.py")
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Import) and any(alias.name == "json" for alias in node.names)
    }

    assert importers <= JSON_IMPORTERS


def _attributes() -> set[str]:
    """Every attribute of every row that this project writes, without patterns of names."""
    kinds = [kind for kind in ROW_KINDS.values() if kind is not IDEMPOTENCY]
    named = {name for kind in kinds for name in kind.attributes.split()}
    keys = {name for attributes in KEY_ATTRIBUTES.values() for name in attributes}
    return {name for name in named | keys | set(TTL_ATTRIBUTES.values()) if "*" not in name}


def _json_fields() -> set[str]:
    """Fields of the API, whose answers clients read by name."""
    schemas = json.loads((ROOT / "docs/openapi.json").read_text())["components"]["schemas"]
    return {name for schema in schemas.values() for name in schema.get("properties", ())}


def _string_keys() -> Iterator[tuple[Path, int, str]]:
    """(file, line, name) of each subscript and each `.get` with a constant string."""
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(parse(path)):
            key = _key_of(node)
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield path, key.lineno, key.value


def _key_of(node: ast.AST) -> ast.expr | None:
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        return node.slice
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
        return node.args[0] if node.args else None
    return None
