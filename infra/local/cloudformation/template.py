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

from infra.local.errors import InvalidTemplate, StartupFailed

_PACKAGE_BUCKET = "s3://package/"
"""SAM insists on S3 for code; this bucket stands for the packaged folder."""

_CODE_PROPERTIES = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource as written: intrinsic functions still in its properties."""

    logical_id: str
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


def template_parameters(package: Path) -> frozenset[str]:
    """The parameters that a packaged template takes."""
    return frozenset(_read_document(package / "sam.json").get("Parameters", {}))


def load_template(package: Path, *, parameters: Mapping[str, str], region: str) -> Template:
    """Read `<package>/sam.json` and translate it, offline."""
    document = _read_document(package / "sam.json")
    values = _parameter_values(document.get("Parameters", {}), parameters)
    translated = _translate(_with_code_in_package(document), values, region)
    return Template(
        folder=package,
        resources={
            name: _parse_resource(name, body) for name, body in translated.get("Resources", {}).items()
        },
        parameters=values,
        conditions=translated.get("Conditions", {}),
        mappings=translated.get("Mappings", {}),
        outputs=translated.get("Outputs", {}),
    )


def _read_document(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise StartupFailed(f"{path} is missing: package first")
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def _parse_resource(logical: str, body: Mapping[str, Any]) -> Resource:
    return Resource(logical, body["Type"], body.get("Properties", {}), body.get("Condition"))


def _parameter_values(declared: Mapping[str, Any], overrides: Mapping[str, str]) -> dict[str, str]:
    unknown = set(overrides) - set(declared)
    if unknown:
        raise InvalidTemplate(f"the template has no parameter {', '.join(sorted(unknown))}")
    defaults = {name: body["Default"] for name, body in declared.items() if "Default" in body}
    values = defaults | dict(overrides)
    missing = set(declared) - set(values)
    if missing:
        raise InvalidTemplate(f"no value for parameter {', '.join(sorted(missing))}")
    return {name: str(value) for name, value in values.items()}


def _with_code_in_package(template: dict[str, Any]) -> dict[str, Any]:
    for logical, body in template.get("Resources", {}).items():
        key = _CODE_PROPERTIES.get(body["Type"])
        if key is None:
            continue
        uri = body["Properties"].get(key)
        if not isinstance(uri, str) or "://" in uri:
            raise InvalidTemplate(f"{logical}.{key} must be a path inside the package, not {uri!r}")
        body["Properties"][key] = _PACKAGE_BUCKET + uri.removeprefix("./")
    return template


def _translate(template: dict[str, Any], parameters: Mapping[str, str], region: str) -> dict[str, Any]:
    session = boto3.Session(region_name=region)
    translator = Translator({}, Parser(), boto_session=session)
    try:
        translated: dict[str, Any] = translator.translate(template, dict(parameters))
    except InvalidDocumentException as error:
        raise InvalidTemplate("; ".join(str(cause.message) for cause in error.causes)) from error
    finally:
        translator.metrics.publish()  # to nobody; unpublished, it complains when the process ends
    return translated
