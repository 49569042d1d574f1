"""Imports run one way: functions → cloud → vigil, and what is heavy or private has one door."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE_FOLDERS = ("functions", "layers/cloud", "layers/vigil")
FACES = Path("layers/vigil/faces")
MAY_IMPORT_FACES = (
    FACES,
    *map(
        Path,
        (
            "functions/runtime/container.py",
            "layers/vigil/people",
            "layers/cloud/dynamodb/people.py",
            "clients/cli",
            "models/build",
        ),
    ),
)
SETTINGS_MODULE = Path("functions/runtime/settings.py")


def test_the_core_imports_neither_aws_nor_chalice_nor_the_rooms_above_it():
    foreign = {"boto3", "botocore", "chalice", "aws_lambda_powertools", "cloud", "functions", "infra", "os"}

    assert [(path, name) for path, name in _imports("layers/vigil") if _top(name) in foreign] == []


def test_adapters_import_neither_triggers_nor_chalice():
    foreign = {"chalice", "functions", "infra", "os"}

    assert [(path, name) for path, name in _imports("layers/cloud") if _top(name) in foreign] == []


def test_triggers_do_not_import_what_builds_and_runs_them():
    assert [(path, name) for path, name in _imports("functions") if _top(name) in {"infra", "tests"}] == []


def test_only_the_settings_read_the_environment():
    readers = {path for room in SOURCE_FOLDERS for path, name in _imports(room) if _top(name) == "os"}

    assert {path for path in readers if _mentions(path, "environ", "getenv")} <= {SETTINGS_MODULE}


def test_only_the_container_people_the_command_line_and_the_model_build_import_faces():
    seen = [
        (path, name)
        for room in (*SOURCE_FOLDERS, "infra", "clients", "models")
        for path, name in _imports(room)
        if _is_faces(name)
    ]

    assert [(path, name) for path, name in seen if not _may_import_faces(path)] == []


def _imports(room: str) -> Iterator[tuple[Path, str]]:
    """Every (file, dotted name) that a room imports, `from a import b` as both `a` and `a.b`."""
    for path in sorted((ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            for name in _names(node):
                yield path.relative_to(ROOT), name


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def _mentions(path: Path, *names: str) -> bool:
    tree = ast.parse((ROOT / path).read_text())
    return any(isinstance(node, ast.Attribute) and node.attr in names for node in ast.walk(tree))


def _top(name: str) -> str:
    return name.split(".", maxsplit=1)[0]


def _is_faces(name: str) -> bool:
    return name == "vigil.faces" or name.startswith("vigil.faces.")


def _may_import_faces(path: Path) -> bool:
    return any(path == door or door in path.parents for door in MAY_IMPORT_FACES)
