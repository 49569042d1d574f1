"""The packaged template: changes that Chalice cannot express, and the unzipped sizes of its functions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.package.artifacts import unzipped_bytes
from infra.package.targets import PackagingError, Target

Template = dict[str, Any]

FUNCTION_TYPE = "AWS::Serverless::Function"
LAYER_TYPE = "AWS::Serverless::LayerVersion"
API_TYPE = "AWS::Serverless::Api"
ANY_METHOD = "x-amazon-apigateway-any-method"

LAMBDA_LIMIT_BYTES = 262_144_000
MB = 1_048_576
_CHALICE_INTRINSIC = "Fn::Sub"


def target_properties(target: Target) -> dict[str, Template]:
    """Return properties by resource type: Chalice writes the version of its own interpreter as runtime."""
    return {
        FUNCTION_TYPE: {"Runtime": target.runtime, "Architectures": ["x86_64"]},
        LAYER_TYPE: {"CompatibleRuntimes": [target.runtime], "CompatibleArchitectures": ["x86_64"]},
    }


def patch_template(template: Template, target: Target) -> Template:
    """Return the template with the target's properties, ANY methods and no duplicate intrinsic functions."""
    overlays = target_properties(target)
    with_any_method = {name: _with_any_method(resource) for name, resource in template["Resources"].items()}
    resources = {
        name: {**resource, "Properties": {**resource.get("Properties", {}), **overlays[resource["Type"]]}}
        if resource["Type"] in overlays
        else resource
        for name, resource in with_any_method.items()
    }
    result: Template = _without_duplicate_intrinsics({**template, "Resources": resources})
    return result


def _with_any_method(resource: Template) -> Template:
    """Route every other method of a path to the function, which answers 405 with Allow.

    Like a preflight request, such a request needs no token.
    """
    if resource["Type"] != API_TYPE:
        return resource
    properties = resource["Properties"]
    body = properties["DefinitionBody"]
    paths = {
        path: methods | ({ANY_METHOD: methods["options"]} if "options" in methods else {})
        for path, methods in body["paths"].items()
    }
    return {**resource, "Properties": {**properties, "DefinitionBody": {**body, "paths": paths}}}


def _without_duplicate_intrinsics(value: Any) -> Any:
    """Remove Chalice's Fn::Sub where the merge left it beside the Fn::GetAtt of the merge template."""
    if isinstance(value, list):
        return [_without_duplicate_intrinsics(item) for item in value]
    if not isinstance(value, dict):
        return value
    is_duplicate = len(value) > 1 and all(key == "Ref" or key.startswith("Fn::") for key in value)
    remaining = {key: item for key, item in value.items() if not (is_duplicate and key == _CHALICE_INTRINSIC)}
    return {key: _without_duplicate_intrinsics(item) for key, item in remaining.items()}


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
