"""A packaged folder → the plain CloudFormation template of what it deploys, SAM translated away."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from infra.local.errors import BadTemplate, CannotStart

_PACKAGE = "s3://package/"
"""SAM insists on S3 for code; this bucket stands for the packaged folder."""

_CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource as written: intrinsic functions still in its properties."""

    logical: str
    type: str
    properties: Mapping[str, Any]
    condition: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A template without SAM; parameters already have their values."""

    folder: Path
    resources: Mapping[str, Resource]
    parameters: Mapping[str, str]
    conditions: Mapping[str, Any]
    mappings: Mapping[str, Any]
    outputs: Mapping[str, Any]


def parameter_names(package: Path) -> frozenset[str]:
    """The parameters that a packaged template takes."""
    return frozenset(_read(package / "sam.json").get("Parameters", {}))


def load(package: Path, *, parameters: Mapping[str, str], region: str) -> Template:
    """Read `<package>/sam.json` and translate it, offline."""
    written = _read(package / "sam.json")
    values = _parameters(written.get("Parameters", {}), parameters)
    plain = _translate(_with_code_in_package(written), values, region)
    return Template(
        folder=package,
        resources={name: _resource(name, body) for name, body in plain.get("Resources", {}).items()},
        parameters=values,
        conditions=plain.get("Conditions", {}),
        mappings=plain.get("Mappings", {}),
        outputs=plain.get("Outputs", {}),
    )


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise CannotStart(f"{path} is missing: package first")
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def _resource(logical: str, body: Mapping[str, Any]) -> Resource:
    return Resource(logical, body["Type"], body.get("Properties", {}), body.get("Condition"))


def _parameters(declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    unknown = set(given) - set(declared)
    if unknown:
        raise BadTemplate(f"the template has no parameter {', '.join(sorted(unknown))}")
    defaults = {name: body["Default"] for name, body in declared.items() if "Default" in body}
    values = defaults | dict(given)
    missing = set(declared) - set(values)
    if missing:
        raise BadTemplate(f"no value for parameter {', '.join(sorted(missing))}")
    return {name: str(value) for name, value in values.items()}


def _with_code_in_package(template: dict[str, Any]) -> dict[str, Any]:
    for logical, body in template.get("Resources", {}).items():
        key = _CODE.get(body["Type"])
        if key is None:
            continue
        uri = body["Properties"].get(key)
        if not isinstance(uri, str) or "://" in uri:
            raise BadTemplate(f"{logical}.{key} must be a path inside the package, not {uri!r}")
        body["Properties"][key] = _PACKAGE + uri.removeprefix("./")
    return template


def _translate(template: dict[str, Any], parameters: Mapping[str, str], region: str) -> dict[str, Any]:
    session = boto3.Session(region_name=region)
    translator = Translator({}, Parser(), boto_session=session)
    try:
        plain: dict[str, Any] = translator.translate(template, dict(parameters))
    except InvalidDocumentException as error:
        raise BadTemplate("; ".join(str(cause.message) for cause in error.causes)) from error
    finally:
        translator.metrics.publish()  # to nobody; unpublished, it complains when the process ends
    return plain
