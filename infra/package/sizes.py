"""Weighs each function with its layers, as Lambda will, against the most that Lambda unzips."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.package.archive import unzipped_bytes
from infra.package.errors import TooLarge
from infra.package.patch import FUNCTION, LAYER, Template

LIMIT_BYTES = 262_144_000
MB = 1_048_576


@dataclass(frozen=True, slots=True)
class Weight:
    """What one function unzips to: its own code, and each layer by logical id."""

    function: str
    own_bytes: int
    layers: dict[str, int]

    @property
    def total_bytes(self) -> int:
        return self.own_bytes + sum(self.layers.values())


def weigh(template: Template, folder: Path) -> tuple[Weight, ...]:
    """Weigh all functions of a packaged template whose relative paths start at `folder`."""
    resources = template["Resources"].items()
    layers = {
        name: unzipped_bytes(folder / resource["Properties"]["ContentUri"])
        for name, resource in resources
        if resource["Type"] == LAYER
    }
    own: dict[str, int] = {}
    found = []
    for name, resource in resources:
        if resource["Type"] == FUNCTION:
            code = resource["Properties"]["CodeUri"]
            own.setdefault(code, unzipped_bytes(folder / code))
            used = {layer: layers[layer] for layer in _layers(resource["Properties"])}
            found.append(Weight(name, own[code], used))
    return tuple(found)


def refuse_too_large(weights: tuple[Weight, ...]) -> None:
    """Raise TooLarge for the heaviest function above the limit, naming its parts from the biggest down."""
    heaviest = max(weights, key=lambda weight: weight.total_bytes)
    if heaviest.total_bytes <= LIMIT_BYTES:
        return
    parts = {"its own code": heaviest.own_bytes, **heaviest.layers}
    biggest = sorted(parts.items(), key=lambda part: -part[1])
    named = ", ".join(f"{name} {size / MB:.1f} MB" for name, size in biggest)
    raise TooLarge(
        f"{heaviest.function} unzips to {heaviest.total_bytes / MB:.1f} MB, above Lambda's"
        f" {LIMIT_BYTES // MB} MB: {named}."
    )


def _layers(properties: dict[str, Any]) -> list[str]:
    return [layer["Ref"] for layer in properties.get("Layers", [])]
