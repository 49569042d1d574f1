"""Throttling by AWS is transient everywhere, and no patience outlives its invocation."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from tests.architecture.source import parse
from vigil.errors import Dependency

ROOT = Path(__file__).resolve().parents[2]
ADAPTERS = sorted((ROOT / "layers" / "cloud").rglob("*.py"))
TRIGGERS = [path for path in (ROOT / "functions").rglob("*.py") if "@trigger." in path.read_text()]
WITHOUT_AWS_CALLS = {
    "on_token": "the authorizer asks the token's issuer, with a time limit of its own, and AWS nothing"
}
CLIENTS = {"_client", "_s3", "_sqs", "_sns", "_dynamodb", "_kms", "_table"}


@pytest.mark.parametrize("path", ADAPTERS, ids=lambda path: path.stem)
def test_every_call_to_aws_is_translated_where_it_is_made(path: Path):
    tree = parse(path)
    inside = {id(call) for block in _translated(tree) for call in _calls(block)}

    assert [ast.unparse(call.func) for call in _calls(tree) if id(call) not in inside] == []


@pytest.mark.parametrize("path", ADAPTERS, ids=lambda path: path.stem)
def test_every_translated_error_names_a_known_dependency(path: Path):
    """A parameter or attribute named `dependency` has the type Dependency, which mypy checks."""
    named = [
        ast.unparse(item.context_expr.args[0])
        for block in _translated(parse(path))
        for item in block.items
        if isinstance(item.context_expr, ast.Call) and item.context_expr.args
    ]

    known = {repr(name) for name in get_args(Dependency)} | {"dependency", "self._dependency"}
    assert [name for name in named if name not in known] == []


@pytest.mark.parametrize("folder", ["functions", "layers"])
def test_every_transient_that_is_raised_by_hand_names_its_dependency(folder: str):
    unnamed = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "Transient"
        and "dependency" not in {keyword.arg for keyword in node.keywords}
    ]

    assert unnamed == []


def test_clients_are_made_in_one_module():
    makers = [
        str(path.relative_to(ROOT))
        for room in ("functions", "layers")
        for path in (ROOT / room).rglob("*.py")
        if "create_client(" in path.read_text() or "boto3.client(" in path.read_text()
    ]

    assert makers == ["layers/cloud/client.py"]


def test_every_client_is_held_to_the_deadline_and_has_time_outs():
    tree = parse(ROOT / "layers" / "cloud" / "client.py")
    (clients,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "AwsClients"]
    methods = {node.name: ast.unparse(node) for node in clients.body if isinstance(node, ast.FunctionDef)}
    make = methods.pop("_get")
    del methods["__init__"]

    assert "create_client(" in make
    assert "deadline.attach(client)" in make
    assert "connect_timeout" in make
    assert methods.keys() == {"get", "without_retries"}
    for name, source in methods.items():
        assert all(option in source for option in ("read_timeout", "retries")), name


@pytest.mark.parametrize("path", TRIGGERS, ids=lambda path: path.stem)
def test_every_handler_begins_the_deadline_of_its_invocation(path: Path):
    handlers = [
        node
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef)
        and any("trigger." in ast.unparse(d) for d in node.decorator_list)
    ]

    for handler in handlers:
        bounded = any(ast.unparse(one) == "lambda_handler" for one in handler.decorator_list)
        in_a_lane = "process_batch(" in ast.unparse(handler)
        assert bounded or in_a_lane or handler.name in WITHOUT_AWS_CALLS, handler.name


def _translated(tree: ast.AST) -> Iterator[ast.With]:
    """Blocks whose errors become ours."""
    for node in ast.walk(tree):
        if isinstance(node, ast.With) and any(_translates(one) for one in node.items):
            yield node


def _translates(item: ast.withitem) -> bool:
    return ast.unparse(item).startswith("translate_errors(")


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Calls of a method of a client."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            holder = node.func.value
            name = holder.attr if isinstance(holder, ast.Attribute) else getattr(holder, "id", "")
            if name in CLIENTS | {"client"}:
                yield node
