"""Changes to the template that Chalice writes which neither Chalice nor the merge template can express."""

from typing import Any

from infra.package.targets import Target

Template = dict[str, Any]

FUNCTION_TYPE = "AWS::Serverless::Function"
LAYER_TYPE = "AWS::Serverless::LayerVersion"
API_TYPE = "AWS::Serverless::Api"
ANY_METHOD = "x-amazon-apigateway-any-method"

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
