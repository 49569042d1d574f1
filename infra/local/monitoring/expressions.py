"""Metric math, as far as alarms use it: numbers, names, + - * /, comparisons, IF and FILL."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from infra.local.errors import CannotImitate

Values = Mapping[str, float | None]

_DEEDS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda one, other: one / other if other else 0.0,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
}


def evaluate(text: str, values: Values, where: str) -> float | None:
    """The value of an expression; None where a metric that it needs has none."""
    found: float | None = _value(ast.parse(text, mode="eval").body, values, where)
    return found


def _value(node: ast.AST, values: Values, where: str) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name):
            return values[name]
        case ast.BinOp(left=left, op=deed, right=right) if type(deed) in _DEEDS:
            return _joined(_DEEDS[type(deed)], left, right, values, where)
        case ast.Compare(left=left, ops=[deed], comparators=[right]) if type(deed) in _DEEDS:
            return _joined(_DEEDS[type(deed)], left, right, values, where)
        case ast.Call(func=ast.Name(id="FILL"), args=[inner, instead]):
            found = _value(inner, values, where)
            return _value(instead, values, where) if found is None else found
        case ast.Call(func=ast.Name(id="IF"), args=[condition, then, otherwise]):
            return _value(then if _value(condition, values, where) else otherwise, values, where)
    raise CannotImitate(where, f"{ast.unparse(node)!r} in metric math")


def _joined(
    deed: Callable[[Any, Any], Any],
    left: ast.AST,
    right: ast.AST,
    values: Mapping[str, float | None],
    where: str,
) -> Any:
    one, other = _value(left, values, where), _value(right, values, where)
    return None if one is None or other is None else deed(one, other)
