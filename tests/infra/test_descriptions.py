"""What is left of botocore's descriptions is what botocore asks for when it makes a call."""

import json
import shutil
from pathlib import Path

import botocore
import pytest
from botocore.model import ServiceModel

from infra.package.descriptions import thin

DATA = Path(botocore.__file__).parent / "data"


@pytest.mark.parametrize("service", ["s3", "dynamodb"])
def test_a_call_finds_all_that_it_looks_for(service: str, tmp_path: Path):
    shutil.copytree(DATA / service, tmp_path / service)
    shutil.copy(DATA / "endpoints.json", tmp_path)

    thin(tmp_path)

    (described,) = tmp_path.glob(f"{service}/*/service-2.json")
    model = ServiceModel(json.loads(described.read_text()))
    assert [one.documentation for one in model.client_context_parameters if one.documentation] == []
