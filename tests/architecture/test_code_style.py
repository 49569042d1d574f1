"""Small, named for what it is for, and honest about errors: what review should not have to repeat."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE_FOLDERS = ("functions", "layers", "infra")
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base"}
MAX_FUNCTION_LINES = 40
MAX_MODULE_LINES = 450

FILES = sorted(path for room in SOURCE_FOLDERS for path in (ROOT / room).rglob("*.py"))


def test_no_module_is_named_for_nothing():
    nameless = [_name(path) for path in FILES if VAGUE_NAMES & {path.stem, *path.relative_to(ROOT).parts}]

    assert not nameless, _listed(nameless)


def test_modules_fit_in_a_head():
    long = [_name(path) for path in FILES if len(path.read_text().splitlines()) > MAX_MODULE_LINES]

    assert not long, _listed(long)


@pytest.mark.parametrize("room", SOURCE_FOLDERS)
def test_functions_fit_on_a_screen(room: str):
    long = [
        f"{path}:{node.name}"
        for path, node in _nodes(room)
        if isinstance(node, ast.FunctionDef) and _lines(node) > MAX_FUNCTION_LINES
    ]

    assert not long, _listed(long)


@pytest.mark.parametrize("room", SOURCE_FOLDERS)
def test_nothing_catches_what_it_does_not_know(room: str):
    blind = [
        f"{path}:{node.lineno}"
        for path, node in _nodes(room)
        if isinstance(node, ast.ExceptHandler) and _is_blind(node)
    ]

    assert not blind, _listed(blind)


@pytest.mark.parametrize("room", SOURCE_FOLDERS)
def test_every_module_says_what_it_is(room: str):
    modules = [(path, node) for path, node in _nodes(room) if isinstance(node, ast.Module) and node.body]
    silent = [str(path) for path, module in modules if not ast.get_docstring(module)]

    assert not silent, _listed(silent)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _listed(found: list[str]) -> str:
    return "\n" + "\n".join(found)


def _nodes(room: str) -> Iterator[tuple[Path, ast.AST]]:
    for path in FILES:
        if ROOT / room in path.parents:
            for node in ast.walk(ast.parse(path.read_text())):
                yield path.relative_to(ROOT), node


def _lines(node: ast.FunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _is_blind(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(name, ast.Name) and name.id in {"Exception", "BaseException"} for name in caught)
