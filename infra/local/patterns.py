"""EventBridge's patterns: which events a rule, or the filter of an event source, picks out."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from infra.local.errors import BadTemplate, CannotImitate

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_MISSING = object()


def matches(pattern: Mapping[str, Any], event: Any) -> bool:
    """Whether the event has, for every key of the pattern, one of the values listed for it."""
    for key, wanted in pattern.items():
        if key == "$or":
            if not any(matches(choice, event) for choice in wanted):
                return False
        elif isinstance(wanted, Mapping):
            if not _matches_inside(wanted, _get(event, key)):
                return False
        elif not _matches_values(wanted, _get(event, key)):
            return False
    return True


def check(pattern: Any, where: str) -> None:
    """Refuse a pattern that `matches` could not decide on, before any event comes."""
    if not isinstance(pattern, Mapping):
        raise BadTemplate(f"{where}: a pattern is an object, not {pattern!r}")
    for key, wanted in pattern.items():
        if key == "$or" and isinstance(wanted, list):
            for choice in wanted:
                check(choice, where)
        elif isinstance(wanted, Mapping):
            check(wanted, where)
        elif isinstance(wanted, list):
            _check_values(wanted, where)
        else:
            raise BadTemplate(f"{where}: the values of {key} must be a list")


def _check_values(wanted: list[Any], where: str) -> None:
    for one in wanted:
        unknown = set(one) - set(_OPERATORS) if isinstance(one, Mapping) else ()
        if unknown:
            raise CannotImitate(where, f"the pattern operator {', '.join(sorted(unknown))}")


def _get(event: Any, key: str) -> Any:
    return event.get(key, _MISSING) if isinstance(event, Mapping) else _MISSING


def _matches_inside(pattern: Mapping[str, Any], value: Any) -> bool:
    if isinstance(value, list):
        return any(matches(pattern, item) for item in value)
    return matches(pattern, {} if value is _MISSING else value)


def _matches_values(wanted: list[Any], value: Any) -> bool:
    found = value if isinstance(value, list) else [value]
    return any(_matches_one(one, item) for one in wanted for item in found or [_MISSING])


def _matches_one(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, Mapping):
        return all(_OPERATORS[name](argument, value) for name, argument in wanted.items())
    if isinstance(wanted, bool) or isinstance(value, bool) or wanted is None:
        return wanted is value
    return bool(wanted == value)


def _exists(argument: bool, value: Any) -> bool:
    return (value is not _MISSING) == argument


def _prefix(argument: Any, value: Any) -> bool:
    if not isinstance(value, str):
        return False
    if isinstance(argument, Mapping):
        return value.lower().startswith(str(argument["equals-ignore-case"]).lower())
    return value.startswith(argument)


def _suffix(argument: Any, value: Any) -> bool:
    if not isinstance(value, str):
        return False
    if isinstance(argument, Mapping):
        return value.lower().endswith(str(argument["equals-ignore-case"]).lower())
    return value.endswith(argument)


def _ignoring_case(argument: str, value: Any) -> bool:
    return isinstance(value, str) and value.lower() == argument.lower()


def _wildcard(argument: str, value: Any) -> bool:
    expression = "".join(".*" if char == "*" else re.escape(char) for char in argument)
    return isinstance(value, str) and re.fullmatch(expression, value, re.DOTALL) is not None


def _numeric(argument: list[Any], value: Any) -> bool:
    number = _number(value)
    pairs = zip(argument[::2], argument[1::2], strict=True)
    return number is not None and all(_COMPARISONS[sign](number, float(limit)) for sign, limit in pairs)


def _number(value: Any) -> float | None:
    """The value as a number; DynamoDB writes its numbers as strings."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", value):
        return float(value)
    return None


def _anything_but(argument: Any, value: Any) -> bool:
    if value is _MISSING:
        return False
    if isinstance(argument, Mapping):
        [(name, inner)] = argument.items()
        choices = inner if isinstance(inner, list) else [inner]
        return not any(_OPERATORS[name](choice, value) for choice in choices)
    return not any(
        _matches_one(one, value) for one in (argument if isinstance(argument, list) else [argument])
    )


_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "exists": _exists,
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _ignoring_case,
    "wildcard": _wildcard,
    "numeric": _numeric,
    "anything-but": _anything_but,
}
