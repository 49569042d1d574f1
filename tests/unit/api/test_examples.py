"""Every answer of the OpenAPI document has an example, which its model accepts."""

import json
from typing import Any

import pytest

from functions.api.openapi import openapi_document
from functions.api.routes import DOCUMENTED_OPERATIONS

ANSWERED = [one for one in DOCUMENTED_OPERATIONS if one.response_model is not None]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_document(DOCUMENTED_OPERATIONS)


@pytest.mark.parametrize("operation", ANSWERED, ids=lambda one: one.name)
def test_an_answer_has_an_example_that_its_model_accepts(document: dict[str, Any], operation: Any):
    described = document["paths"][operation.path][operation.method.lower()]
    example = described["responses"][str(operation.status)]["content"]["application/json"]["example"]

    accepted = operation.response_model.model_validate_json(json.dumps(example))
    assert accepted.model_dump(mode="json", exclude_none=True).keys() == example.keys()
