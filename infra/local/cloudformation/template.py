"""Reads a packaged folder as a CloudFormation template without SAM, and checks it against supported.toml."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from infra.local.errors import InvalidTemplate, StartupFailed, UnsupportedFeature

_PACKAGE_BUCKET = "s3://package/"
"""SAM requires code on S3; this bucket stands for the packaged folder."""

_CODE_PROPERTIES = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource; its properties still contain intrinsic functions."""

    logical_id: str
    type: str
    properties: Mapping[str, Any]
    condition: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A template without SAM, with the values of its parameters."""

    folder: Path
    resources: Mapping[str, Resource]
    parameters: Mapping[str, str]
    conditions: Mapping[str, Any]
    outputs: Mapping[str, Any]


def template_parameters(package: Path) -> frozenset[str]:
    """Return the names of a packaged template's parameters."""
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
        outputs=translated.get("Outputs", {}),
    )


def _read_document(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise StartupFailed(f"{path} is missing: run `make package` first")
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
        translator.metrics.publish()  # discards them; otherwise SAM reports an error at exit
    return translated


_SUPPORT_FILE = Path(__file__).with_name("supported.toml")


@dataclass(frozen=True, slots=True)
class TypeSupport:
    """The supported and the ignored properties of a type; `ignored_reason` if the whole type is ignored."""

    supported: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()
    ignored_reason: str | None = None

    def is_listed(self, path: str) -> bool:
        """Whether this property is listed."""
        return path in self.supported or path in self.ignored

    def has_nested(self, path: str) -> bool:
        """Whether a property inside this one is listed."""
        return any(name.startswith(path + ".") for name in self.supported | self.ignored)


@cache
def supported_types() -> Mapping[str, TypeSupport]:
    """Return the resource types of supported.toml."""
    table = tomllib.loads(_SUPPORT_FILE.read_text())
    reasons: dict[str, str] = table.pop("reasons")
    skipped: dict[str, list[str]] = table.pop("skipped")
    ignored_types = {
        kind: TypeSupport(ignored_reason=reasons[reason])
        for reason, kinds in skipped.items()
        for kind in kinds
    }
    return ignored_types | {kind: _parse_support(lists, reasons) for kind, lists in table.items()}


def unsupported_features(resource: Resource) -> Iterator[UnsupportedFeature]:
    """Yield an error for everything of a resource that supported.toml does not list."""
    support = supported_types().get(resource.type)
    if support is None:
        yield UnsupportedFeature(resource.logical_id, f"the resource type {resource.type}")
    elif resource.type == "AWS::SNS::Subscription" and resource.properties.get("Protocol") == "lambda":
        yield UnsupportedFeature(resource.logical_id, f"Protocol lambda of {resource.type}")
    elif support.ignored_reason is None:
        for path in _unlisted_properties(support, resource.properties):
            yield UnsupportedFeature(resource.logical_id, f"the property {path} of {resource.type}")


def _parse_support(lists: Mapping[str, list[str]], reasons: Mapping[str, str]) -> TypeSupport:
    ignored = [name for reason, names in lists.items() if reason in reasons for name in names]
    return TypeSupport(frozenset(lists["supported"]), frozenset(ignored))


def _unlisted_properties(
    support: TypeSupport, properties: Mapping[str, Any], prefix: str = ""
) -> Iterator[str]:
    for name, value in properties.items():
        path = f"{prefix}{name}"
        if support.has_nested(path):
            for part in value if isinstance(value, list) else [value]:
                yield from _unlisted_properties(support, part, f"{path}.")
        elif not support.is_listed(path):
            yield path
