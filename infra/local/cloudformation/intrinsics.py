"""CloudFormation's functions (Ref, GetAtt, Sub, If, ...) worked out to plain values."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from infra.local.errors import InvalidTemplate, UnsupportedFeature

NO_VALUE = object()
"""What `AWS::NoValue` becomes; whoever holds it leaves the key out."""

_PLACEHOLDER = re.compile(r"\$\{(!?)([^}]*)\}")


@dataclass(frozen=True, slots=True)
class NameLookup:
    """What a template's names stand for: the only knowledge that resolving needs from outside."""

    reference: Callable[[str], Any]
    attribute: Callable[[str, str], Any]
    conditions: Mapping[str, Any]
    mappings: Mapping[str, Any]


class Resolver:
    """Resolve any value of a template; what comes back holds no function any more."""

    def __init__(self, lookup: NameLookup) -> None:
        self._lookup = lookup
        self._functions: Mapping[str, Callable[[Any], Any]] = {
            "Ref": lookup.reference,
            "Condition": self.condition_holds,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::If": self._if,
            "Fn::Equals": self._equals,
            "Fn::And": lambda parts: all(map(self.resolve, parts)),
            "Fn::Or": lambda parts: any(map(self.resolve, parts)),
            "Fn::Not": lambda parts: not self.resolve(parts[0]),
            "Fn::FindInMap": self._find_in_map,
            "Fn::Base64": lambda value: base64.b64encode(str(self.resolve(value)).encode()).decode(),
        }

    def resolve(self, value: Any) -> Any:
        """Plain data for `value`; keys and items that became NO_VALUE are gone."""
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name in self._functions and not (name == "Condition" and not isinstance(argument, str)):
                return self._functions[name](argument)
            if name.startswith("Fn::"):
                raise UnsupportedFeature("template", f"the intrinsic function {name}")
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not NO_VALUE}

    def condition_holds(self, condition: str) -> bool:
        """Whether the named condition of the template is true."""
        if condition not in self._lookup.conditions:
            raise InvalidTemplate(f"no condition named {condition}")
        return bool(self.resolve(self._lookup.conditions[condition]))

    def _get_att(self, argument: str | list[str]) -> Any:
        parts = argument.split(".", 1) if isinstance(argument, str) else argument
        return self._lookup.attribute(parts[0], ".".join(parts[1:]))

    def _sub(self, argument: str | list[Any]) -> str:
        text, variables = (argument, {}) if isinstance(argument, str) else argument
        return _PLACEHOLDER.sub(partial(self._replace_placeholder, variables), text)

    def _replace_placeholder(self, variables: Mapping[str, Any], match: re.Match[str]) -> str:
        literal, name = match.group(1), match.group(2).strip()
        if literal:
            return "${" + name + "}"
        if name in variables:
            return str(self.resolve(variables[name]))
        return str(self._get_att(name) if "." in name else self._lookup.reference(name))

    def _join(self, argument: list[Any]) -> str:
        separator, parts = argument
        return str(separator).join(str(part) for part in self.resolve(parts))

    def _select(self, argument: list[Any]) -> Any:
        index, parts = argument
        return self.resolve(parts)[int(self.resolve(index))]

    def _split(self, argument: list[Any]) -> list[str]:
        separator, text = argument
        return str(self.resolve(text)).split(separator)

    def _if(self, argument: list[Any]) -> Any:
        condition, yes, no = argument
        return self.resolve(yes if self.condition_holds(condition) else no)

    def _equals(self, argument: list[Any]) -> bool:
        left, right = map(self.resolve, argument)
        return str(left) == str(right)

    def _find_in_map(self, argument: list[Any]) -> Any:
        name, *path = map(self.resolve, argument)
        found = self._lookup.mappings.get(name)
        for key in path:
            if not isinstance(found, Mapping) or key not in found:
                raise InvalidTemplate(f"mapping {name} has no {path}")
            found = found[key]
        return found
