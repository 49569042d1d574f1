"""SnapStart: the functions that wait for models start from a snapshot of a published version.

https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html: Python 3.12 or newer, published versions and
their aliases only, no EFS, no provisioned concurrency, at most 512 MB of temporary space. SAM publishes a
version for each deployment and points the event source to its alias; SAM has no alias on a condition, so
that the deployment adds it.
"""

from collections.abc import Mapping
from typing import Any

from infra.package.template import Template

PARAMETER = "SnapStart"
ALIAS = "current"
FUNCTIONS = ("Live", "Predict")
"""Functions that somebody waits for and that load models."""


def with_snapstart(template: Template) -> Template:
    """The template with an alias for these functions, which the others invoke and configure instead."""
    resources = {}
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        changed = dict(properties)
        if name in FUNCTIONS:
            changed |= {"AutoPublishAlias": ALIAS, "VersionDeletionPolicy": "Delete"}
        elif "Policies" in properties:
            changed["Policies"] = _to_alias(properties["Policies"], "Fn::GetAtt")
        elif "Environment" in properties:
            changed["Environment"] = _to_alias(properties["Environment"], "Ref")
        resources[name] = {**resource, "Properties": changed} if properties else resource
    return {**template, "Resources": resources}


def _to_alias(value: Any, intrinsic: str) -> Any:
    """The value with references to the functions replaced by their aliases."""
    if isinstance(value, Mapping):
        for name in FUNCTIONS:
            if value in ({"Ref": name}, {"Fn::GetAtt": [name, "Arn"]}) and intrinsic in value:
                return {"Ref": f"{name}.Alias"}
        return {key: _to_alias(one, intrinsic) for key, one in value.items()}
    if isinstance(value, list):
        return [_to_alias(one, intrinsic) for one in value]
    return value
