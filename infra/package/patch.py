"""What neither Chalice nor a merged template can say, as data: laid over every resource of a type."""

from typing import Any

from infra.package.targets import Target

Template = dict[str, Any]

FUNCTION = "AWS::Serverless::Function"
LAYER = "AWS::Serverless::LayerVersion"


def overlays(target: Target) -> dict[str, dict[str, Any]]:
    """Properties by resource type.

    Chalice writes the interpreter that it runs on as the runtime; the merge template does not know
    the target.
    """
    return {
        FUNCTION: {"Runtime": target.runtime, "Architectures": ["x86_64"]},
        LAYER: {"CompatibleRuntimes": [target.runtime], "CompatibleArchitectures": ["x86_64"]},
    }


def patched(template: Template, target: Target) -> Template:
    """The template with the target's overlays; everything else as it was."""
    over = overlays(target)
    resources = {
        name: {**resource, "Properties": {**resource.get("Properties", {}), **over[resource["Type"]]}}
        if resource["Type"] in over
        else resource
        for name, resource in template["Resources"].items()
    }
    return {**template, "Resources": resources}
