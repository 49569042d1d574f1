"""Metric math, as far as alarms use it: numbers, names, + - * /, comparisons, IF and FILL."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from infra.local.errors import UnsupportedFeature

MetricValues = Mapping[str, float | None]

_OPERATORS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda one, other: one / other if other else 0.0,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
}


def evaluate_expression(text: str, values: MetricValues, where: str) -> float | None:
    """The value of an expression; None where a metric that it needs has none."""
    value: float | None = _evaluate_node(ast.parse(text, mode="eval").body, values, where)
    return value


def _evaluate_node(node: ast.AST, values: MetricValues, where: str) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name):
            return values[name]
        case ast.BinOp(left=left, op=deed, right=right) if type(deed) in _OPERATORS:
            return _apply_operation(_OPERATORS[type(deed)], left, right, values, where)
        case ast.Compare(left=left, ops=[deed], comparators=[right]) if type(deed) in _OPERATORS:
            return _apply_operation(_OPERATORS[type(deed)], left, right, values, where)
        case ast.Call(func=ast.Name(id="FILL"), args=[inner, instead]):
            found = _evaluate_node(inner, values, where)
            return _evaluate_node(instead, values, where) if found is None else found
        case ast.Call(func=ast.Name(id="IF"), args=[condition, then, otherwise]):
            return _evaluate_node(
                then if _evaluate_node(condition, values, where) else otherwise, values, where
            )
    raise UnsupportedFeature(where, f"{ast.unparse(node)!r} in metric math")


def _apply_operation(
    operation: Callable[[Any, Any], Any],
    left: ast.AST,
    right: ast.AST,
    values: Mapping[str, float | None],
    where: str,
) -> Any:
    left_value, right_value = _evaluate_node(left, values, where), _evaluate_node(right, values, where)
    return None if left_value is None or right_value is None else operation(left_value, right_value)
