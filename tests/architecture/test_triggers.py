"""Every Lambda function has one module, named as the function, with one trigger."""

import ast
import json
from pathlib import Path

from tests.architecture.source import parse

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = ROOT / "functions"
WITHOUT_TRIGGER = {"__init__", "app"}
API = {"api_handler"}
"""The API has a package of its own, functions/api."""


def test_every_module_of_functions_registers_one_trigger_named_as_the_module():
    triggers = {
        path.stem: _trigger_names(path)
        for path in sorted(FUNCTIONS.glob("*.py"))
        if path.stem not in WITHOUT_TRIGGER
    }

    assert triggers == {name: [name] for name in triggers}


def test_every_lambda_function_has_a_module_and_a_policy_of_its_name():
    stage = json.loads((ROOT / "chalice.json").read_text())["stages"]["dev"]
    modules = {path.stem for path in FUNCTIONS.glob("*.py")} - WITHOUT_TRIGGER
    policies = {name: options["iam_policy_file"] for name, options in stage["lambda_functions"].items()}

    assert policies == {name: f"{name}.json" for name in modules | API}
    assert {path.stem for path in (ROOT / "infra" / "policies").glob("*.json")} == modules | API


def _trigger_names(path: Path) -> list[str]:
    """The names in the decorators `@trigger.…(name=…)` of a module."""
    decorators = [
        decorator
        for node in parse(path).body
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).startswith("trigger.")
    ]
    return [
        str(keyword.value.value)
        for decorator in decorators
        for keyword in decorator.keywords
        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant)
    ]
