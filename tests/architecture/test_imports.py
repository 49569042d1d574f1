"""Only the settings read the environment; `make check` verifies all other import rules with import-linter."""

import ast
from pathlib import Path

from tests.architecture.source import parse

ROOT = Path(__file__).resolve().parents[2]
SOURCE_FOLDERS = ("functions", "layers/cloud", "layers/vigil")
SETTINGS_MODULE = Path("functions/runtime/settings.py")


def test_only_the_settings_read_the_environment():
    paths = [path for folder in SOURCE_FOLDERS for path in (ROOT / folder).rglob("*.py")]

    readers = {path.relative_to(ROOT) for path in paths if _reads_environment(path)}

    assert readers <= {SETTINGS_MODULE}


def _reads_environment(path: Path) -> bool:
    nodes = ast.walk(parse(path))
    return any(isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"} for node in nodes)
