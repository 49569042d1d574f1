"""The OpenAPI document is complete, true and served."""

import json
from typing import Any

import pytest
from generate import OPENAPI_PATH, generated_files
from openapi_spec_validator import OpenAPIV31SpecValidator

from functions.api.openapi import openapi_document
from functions.api.operation import OPERATIONS, Operation
from functions.api.problems import CapacityExceeded
from functions.api.routes import DOCUMENTED_OPERATIONS
from tests.e2e.api.conftest import Site

WITH_EXAMPLE = [one for one in DOCUMENTED_OPERATIONS if one.example is not None and not one.parameters]


def test_the_generated_files_are_up_to_date():
    stale = [str(path) for path, text in generated_files().items() if path.read_text() != text]

    assert stale == [], "run `make openapi`"


def test_the_document_is_openapi_3_1():
    OpenAPIV31SpecValidator(json.loads(OPENAPI_PATH.read_text())).validate()


def test_the_served_document_is_the_committed_one(site: Site):
    assert site.request("GET", "/v1/openapi.json", token="").json == json.loads(OPENAPI_PATH.read_text())


def test_every_field_and_every_parameter_has_a_description():
    document = json.loads(OPENAPI_PATH.read_text())
    fields = {
        f"{shape}.{name}": field
        for shape, schema in document["components"]["schemas"].items()
        for name, field in schema.get("properties", {}).items()
    }
    parameters = {
        f"{operation['operationId']} {one['name']}": one
        for path in document["paths"].values()
        for operation in path.values()
        for one in operation["parameters"]
    }

    assert [name for name, one in (fields | parameters).items() if not _has_description(one)] == []


def _has_description(one: Any) -> bool:
    """Here, or in what it may be; another shape describes itself."""
    parts = [one, one.get("schema", {}), *one.get("anyOf", ())]
    return any("description" in part or "$ref" in part for part in parts)


def test_every_tag_has_a_description():
    document = json.loads(OPENAPI_PATH.read_text())
    used = {
        tag for path in document["paths"].values() for operation in path.values() for tag in operation["tags"]
    }

    assert used == {one["name"] for one in document["tags"]}


def test_response_fields_are_never_null_and_parameters_have_defaults():
    document = json.loads(OPENAPI_PATH.read_text())
    thumbnail = document["components"]["schemas"]["DropOut"]["properties"]["thumbnail_url"]
    version = document["components"]["schemas"]["NewRules"]["properties"]["version"]
    limit = next(one for one in document["paths"]["/v1/drops"]["get"]["parameters"] if one["name"] == "limit")

    assert (thumbnail["type"], limit["schema"]["default"]) == ("string", 25)
    assert {"type": "null"} in version["anyOf"], "where a request may say null, it says so"


@pytest.mark.parametrize("status", [429, 503])
def test_the_retry_after_header_is_documented(status: int):
    document = json.loads(OPENAPI_PATH.read_text())

    assert "Retry-After" in document["components"]["responses"][f"Problem{status}"]["headers"]


def test_every_documented_problem_is_an_example_of_the_real_response():
    document = json.loads(OPENAPI_PATH.read_text())
    (media,) = document["components"]["responses"]["Problem429"]["content"].values()

    assert media["examples"]["capacity-exceeded"]["value"] == CapacityExceeded().body()
    for response in document["components"]["responses"].values():
        (media,) = response["content"].values()
        for example in media["examples"].values():
            assert example["value"].keys() >= set(document["components"]["schemas"]["Problem"]["required"])


def test_operation_names_are_unique():
    names = [one.name for one in OPERATIONS]

    assert sorted(set(names)) == sorted(names)


def test_operations_on_people_and_sightings_are_audited():
    shows = ("people", "sightings", "alerts", "predict")
    silent = {one.name for one in DOCUMENTED_OPERATIONS if one.tag in shows and not one.audited}

    assert silent == set()


def test_every_problem_has_a_unique_type_a_title_and_a_remedy():
    problems = {problem for one in DOCUMENTED_OPERATIONS for problem in one.problems}

    assert all(problem.name and problem.remedy and problem.title for problem in problems)
    assert len({problem.name for problem in problems}) == len(problems)


@pytest.fixture
def example_names_are_free(site: Site) -> None:
    """Fuzzing sends examples, too: whoever it made by the name of one is erased first."""
    names = {one.example["name"] for one in WITH_EXAMPLE if one.example and "name" in one.example}
    path: str | None = "/v1/people?limit=100"
    people: list[Any] = []
    while path:
        page = site.request("GET", path).json
        people += page["items"]
        path = f"/v1/people?limit=100&cursor={page['next']}" if "next" in page else None
    for person in people:
        if person["name"] in names:
            site.request("DELETE", f"/v1/people/{person['id']}")


@pytest.mark.usefixtures("rules", "example_names_are_free")
@pytest.mark.parametrize("operation", WITH_EXAMPLE, ids=lambda one: one.name)
def test_the_documented_example_of_an_operation_succeeds(site: Site, operation: Operation):
    example: Any = operation.example
    if operation.in_query:
        path = operation.path + "?" + "&".join(f"{name}={value}" for name, value in example.items())
        answer = site.request(operation.method, path)
    else:
        answer = site.request(operation.method, operation.path, example)

    assert answer.status == operation.status, answer.text


def test_the_reference_page_loads_nothing_from_other_origins_and_runs_no_inline_script(site: Site):
    page = site.request("GET", "/v1/reference", token="")

    policy = page.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "http" not in page.text
    assert "<script>" not in page.text
    for part in ("start.js", "page.js", "page.css"):
        assert site.request("GET", f"/v1/reference/{part}", token="").status == 200


def test_the_same_operations_give_the_same_document():
    assert openapi_document(DOCUMENTED_OPERATIONS) == openapi_document(DOCUMENTED_OPERATIONS)
