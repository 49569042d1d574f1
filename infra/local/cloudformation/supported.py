"""What this cloud can imitate, read from supported.toml; a template that asks for more is refused by name."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from infra.local.cloudformation.template import Resource
from infra.local.errors import UnsupportedFeature

_SUPPORT_FILE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, slots=True)
class TypeSupport:
    """What is known of one type; `whole` is the reason why the type as such has no effect."""

    supported: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()
    ignored_reason: str | None = None

    def is_listed(self, path: str) -> bool:
        """Whether exactly this property is listed."""
        return path in self.supported or path in self.ignored

    def has_nested(self, path: str) -> bool:
        """Whether something inside this property is listed."""
        return any(name.startswith(path + ".") for name in self.supported | self.ignored)


@cache
def supported_types() -> Mapping[str, TypeSupport]:
    """All types of the table."""
    table = tomllib.loads(_SUPPORT_FILE.read_text())
    reasons: dict[str, str] = table.pop("reasons")
    skipped: dict[str, list[str]] = table.pop("skipped")
    ignored_types = {
        kind: TypeSupport(ignored_reason=reasons[reason])
        for reason, kinds in skipped.items()
        for kind in kinds
    }
    return ignored_types | {kind: _parse_support(lists, reasons) for kind, lists in table.items()}


def unsupported_features(resource: Resource) -> Iterator[UnsupportedFeature]:
    """One sentence for each thing about this resource that is not in the table."""
    support = supported_types().get(resource.type)
    if support is None:
        yield UnsupportedFeature(resource.logical_id, f"the resource type {resource.type}")
    elif support.ignored_reason is None:
        for path in _unlisted_properties(support, resource.properties):
            yield UnsupportedFeature(resource.logical_id, f"the property {path} of {resource.type}")


def _parse_support(lists: Mapping[str, list[str]], reasons: Mapping[str, str]) -> TypeSupport:
    ignored = [name for reason, names in lists.items() if reason in reasons for name in names]
    return TypeSupport(frozenset(lists["supported"]), frozenset(ignored))


def _unlisted_properties(
    support: TypeSupport, properties: Mapping[str, Any], prefix: str = ""
) -> Iterator[str]:
    for name, value in properties.items():
        path = f"{prefix}{name}"
        if support.has_nested(path):
            for part in value if isinstance(value, list) else [value]:
                yield from _unlisted_properties(support, part, f"{path}.")
        elif not support.is_listed(path):
            yield path
