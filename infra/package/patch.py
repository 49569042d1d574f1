"""What neither Chalice nor a merged template can say: laid over the packaged template, as data."""

from typing import Any

from infra.package.targets import Target

Template = dict[str, Any]

FUNCTION = "AWS::Serverless::Function"
LAYER = "AWS::Serverless::LayerVersion"
API = "AWS::Serverless::Api"
ANY = "x-amazon-apigateway-any-method"

_CHALICE_NAMES_BY = "Fn::Sub"


def overlays(target: Target) -> dict[str, Template]:
    """Properties by resource type.

    Chalice writes the interpreter that it runs on as the runtime; the merge template does not know
    the target.
    """
    return {
        FUNCTION: {"Runtime": target.runtime, "Architectures": ["x86_64"]},
        LAYER: {"CompatibleRuntimes": [target.runtime], "CompatibleArchitectures": ["x86_64"]},
    }


def patched(template: Template, target: Target) -> Template:
    """The template with the target's overlays, and one intrinsic function where merging left two."""
    over = overlays(target)
    given = {name: _answering(resource) for name, resource in template["Resources"].items()}
    resources = {
        name: {**resource, "Properties": {**resource.get("Properties", {}), **over[resource["Type"]]}}
        if resource["Type"] in over
        else resource
        for name, resource in given.items()
    }
    whole: Template = _one_intrinsic({**template, "Resources": resources})
    return whole


def _answering(resource: Template) -> Template:
    """An API whose paths pass every method on, so that it can say 405 with Allow where there is none.

    What a preflight is answered by needs no token, and neither does this.
    """
    if resource["Type"] != API:
        return resource
    properties = resource["Properties"]
    body = properties["DefinitionBody"]
    paths = {
        path: methods | ({ANY: methods["options"]} if "options" in methods else {})
        for path, methods in body["paths"].items()
    }
    return {**resource, "Properties": {**properties, "DefinitionBody": {**body, "paths": paths}}}


def _one_intrinsic(value: Any) -> Any:
    """Undo what merging does to a queue's name: Chalice's Fn::Sub beside our Fn::GetAtt; ours stays."""
    if isinstance(value, list):
        return [_one_intrinsic(item) for item in value]
    if not isinstance(value, dict):
        return value
    clash = len(value) > 1 and all(key == "Ref" or key.startswith("Fn::") for key in value)
    kept = {key: item for key, item in value.items() if not (clash and key == _CHALICE_NAMES_BY)}
    return {key: _one_intrinsic(item) for key, item in kept.items()}
