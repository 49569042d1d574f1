"""Rules of size, names, docstrings and exception handlers that apply to every module."""

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from tests.architecture.source import parse

ROOT = Path(__file__).resolve().parents[2]
SOURCE_FOLDERS = ("functions", "layers", "infra", "models", "clients")
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base"}
MAX_FUNCTION_LINES = 40
MAX_MODULE_LINES = 450

GENERATED = ROOT / "clients" / "python" / "vigil_client" / "types.py"

FILES = sorted(
    path for folder in SOURCE_FOLDERS for path in (ROOT / folder).rglob("*.py") if path != GENERATED
)


def test_no_module_has_a_vague_name():
    nameless = [_name(path) for path in FILES if VAGUE_NAMES & {path.stem, *path.relative_to(ROOT).parts}]

    assert not nameless, _listed(nameless)


def test_modules_are_short():
    long = [_name(path) for path in FILES if len(path.read_text().splitlines()) > MAX_MODULE_LINES]

    assert not long, _listed(long)


@pytest.mark.parametrize("folder", SOURCE_FOLDERS)
def test_functions_are_short(folder: str):
    long = [
        f"{path}:{node.name}"
        for path, node in _nodes(folder)
        if isinstance(node, ast.FunctionDef) and _lines(node) > MAX_FUNCTION_LINES
    ]

    assert not long, _listed(long)


@pytest.mark.parametrize("folder", SOURCE_FOLDERS)
def test_no_handler_catches_every_exception(folder: str):
    blind = [
        f"{path}:{node.lineno}"
        for path, node in _nodes(folder)
        if isinstance(node, ast.ExceptHandler) and _is_blind(node)
    ]

    assert not blind, _listed(blind)


def test_one_module_opens_pictures():
    opening = [_name(path) for path in FILES if "Image.open(" in path.read_text()]

    assert opening == ["layers/vigil/inference/images.py"]


@pytest.mark.parametrize("folder", SOURCE_FOLDERS)
def test_every_module_has_a_docstring(folder: str):
    modules = [(path, node) for path, node in _nodes(folder) if isinstance(node, ast.Module) and node.body]
    silent = [str(path) for path, module in modules if not ast.get_docstring(module)]

    assert not silent, _listed(silent)


def test_public_classes_of_functions_and_layers_have_names_of_their_own():
    paths_by_name: defaultdict[str, list[str]] = defaultdict(list)
    for folder in ("functions", "layers"):
        for path, module in _nodes(folder):
            if isinstance(module, ast.Module):
                for node in module.body:
                    if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                        paths_by_name[node.name].append(str(path))
    repeated = [f"{name}: {', '.join(paths)}" for name, paths in paths_by_name.items() if len(paths) > 1]

    assert not repeated, _listed(repeated)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _listed(found: list[str]) -> str:
    return "\n" + "\n".join(found)


@cache
def _nodes(folder: str) -> list[tuple[Path, ast.AST]]:
    return [
        (path.relative_to(ROOT), node)
        for path in FILES
        if ROOT / folder in path.parents
        for node in ast.walk(parse(path))
    ]


def _lines(node: ast.FunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _is_blind(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(name, ast.Name) and name.id in {"Exception", "BaseException"} for name in caught)
