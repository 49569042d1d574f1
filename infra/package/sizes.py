"""Unzipped sizes of functions with their layers, and the check against Lambda's limit."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.package.artifacts import unzipped_bytes
from infra.package.targets import PackagingError
from infra.package.template import FUNCTION_TYPE, LAYER_TYPE, Template

LAMBDA_LIMIT_BYTES = 262_144_000
MB = 1_048_576


class TooLarge(PackagingError):
    """A function with its layers exceeds Lambda's limit on the unzipped size."""


@dataclass(frozen=True, slots=True)
class FunctionSize:
    """The unzipped bytes of a function's code, and of each of its layers by logical id."""

    function: str
    code_bytes: int
    layers: dict[str, int]

    @property
    def total_bytes(self) -> int:
        return self.code_bytes + sum(self.layers.values())


def measure_sizes(template: Template, folder: Path) -> tuple[FunctionSize, ...]:
    """Measure all functions of a packaged template; its paths are relative to `folder`."""
    resources = template["Resources"].items()
    layers = {
        name: unzipped_bytes(folder / resource["Properties"]["ContentUri"])
        for name, resource in resources
        if resource["Type"] == LAYER_TYPE
    }
    code_bytes: dict[str, int] = {}
    sizes = []
    for name, resource in resources:
        if resource["Type"] == FUNCTION_TYPE:
            code = resource["Properties"]["CodeUri"]
            code_bytes.setdefault(code, unzipped_bytes(folder / code))
            layer_bytes = {layer: layers[layer] for layer in _layer_ids(resource["Properties"])}
            sizes.append(FunctionSize(name, code_bytes[code], layer_bytes))
    return tuple(sizes)


def check_sizes(sizes: tuple[FunctionSize, ...]) -> None:
    """Raise TooLarge for the largest function above the limit, with its parts, largest first."""
    largest = max(sizes, key=lambda size: size.total_bytes)
    if largest.total_bytes <= LAMBDA_LIMIT_BYTES:
        return
    parts = {"its own code": largest.code_bytes, **largest.layers}
    largest_first = sorted(parts.items(), key=lambda part: -part[1])
    listed = ", ".join(f"{name} {size / MB:.1f} MB" for name, size in largest_first)
    raise TooLarge(
        f"{largest.function} unzips to {largest.total_bytes / MB:.1f} MB, above Lambda's"
        f" {LAMBDA_LIMIT_BYTES // MB} MB: {listed}."
    )


def _layer_ids(properties: dict[str, Any]) -> list[str]:
    return [layer["Ref"] for layer in properties.get("Layers", [])]
