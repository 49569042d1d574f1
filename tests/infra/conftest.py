"""The package of this working tree, built once for all tests of the folder."""

import json
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import boto3
import pytest
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from infra.package import package

HERE = Path(__file__).parent
Template = dict[str, Any]


@pytest.fixture(scope="session")
def packaged() -> Path:
    """build/package/local of this working tree."""
    return package("local")


@pytest.fixture(scope="session")
def template(packaged: Path) -> Template:
    """The packaged SAM template."""
    loaded: Template = json.loads((packaged / "sam.json").read_text())
    return loaded


@pytest.fixture(scope="session")
def translated(template: Template) -> Template:
    """The template without SAM."""
    with_s3_uris: Template = json.loads(json.dumps(template).replace('"./', '"s3://artefacts/'))
    return translate(with_s3_uris)


@pytest.fixture(scope="session")
def task(packaged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked function zip, as Lambda has it in /var/task."""
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(packaged / "deployment.zip") as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="session")
def suppressions() -> dict[str, dict[str, str]]:
    """Accepted findings by tool and id, with the reason."""
    loaded: dict[str, dict[str, str]] = tomllib.loads((HERE / "suppressions.toml").read_text())
    return loaded


def translate(template: Template) -> Template:
    """Translate a SAM template whose artefacts are on S3."""
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name="eu-west-1"))
    result: Template = translator.translate(template, {})
    return result


def resources_of_type(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """Properties of all resources of a type, by logical id."""
    resources = template["Resources"].items()
    return {name: resource["Properties"] for name, resource in resources if resource["Type"] == kind}
