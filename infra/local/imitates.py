"""What this cloud can imitate, read from imitates.toml; a template that asks for more is refused by name."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from infra.local.errors import CannotImitate
from infra.local.template import Resource

_TABLE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, slots=True)
class Imitation:
    """What is known of one type; `whole` is the reason why the type as such has no effect."""

    honoured: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()
    whole: str | None = None

    def knows(self, path: str) -> bool:
        """Whether exactly this property is listed."""
        return path in self.honoured or path in self.ignored

    def looks_inside(self, path: str) -> bool:
        """Whether something inside this property is listed."""
        return any(name.startswith(path + ".") for name in self.honoured | self.ignored)


@cache
def imitations() -> Mapping[str, Imitation]:
    """All types of the table."""
    table = tomllib.loads(_TABLE.read_text())
    reasons: dict[str, str] = table.pop("reasons")
    skipped: dict[str, list[str]] = table.pop("skipped")
    whole = {kind: Imitation(whole=reasons[why]) for why, kinds in skipped.items() for kind in kinds}
    return whole | {kind: _imitation(lists, reasons) for kind, lists in table.items()}


def refusals(resource: Resource) -> Iterator[CannotImitate]:
    """One sentence for each thing about this resource that is not in the table."""
    imitation = imitations().get(resource.type)
    if imitation is None:
        yield CannotImitate(resource.logical, f"the resource type {resource.type}")
    elif imitation.whole is None:
        for path in _unknown(imitation, resource.properties):
            yield CannotImitate(resource.logical, f"the property {path} of {resource.type}")


def _imitation(lists: Mapping[str, list[str]], reasons: Mapping[str, str]) -> Imitation:
    ignored = [name for why, names in lists.items() if why in reasons for name in names]
    return Imitation(frozenset(lists["honoured"]), frozenset(ignored))


def _unknown(imitation: Imitation, properties: Mapping[str, Any], inside: str = "") -> Iterator[str]:
    for name, value in properties.items():
        path = f"{inside}{name}"
        if imitation.looks_inside(path):
            for part in value if isinstance(value, list) else [value]:
                yield from _unknown(imitation, part, f"{path}.")
        elif not imitation.knows(path):
            yield path
