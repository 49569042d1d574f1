"""The API says of itself what is so."""

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


def test_what_is_committed_is_what_the_operations_say():
    stale = [str(path) for path, text in generated_files().items() if path.read_text() != text]

    assert stale == [], "run `make openapi`"


def test_the_document_is_openapi_3_1():
    OpenAPIV31SpecValidator(json.loads(OPENAPI_PATH.read_text())).validate()


def test_what_is_served_is_what_is_committed(site: Site):
    assert site.request("GET", "/v1/openapi.json", token="").json == json.loads(OPENAPI_PATH.read_text())


def test_every_field_and_every_parameter_says_what_it_is():
    told = json.loads(OPENAPI_PATH.read_text())
    fields = {
        f"{shape}.{name}": field
        for shape, schema in told["components"]["schemas"].items()
        for name, field in schema.get("properties", {}).items()
    }
    parameters = {
        f"{operation['operationId']} {one['name']}": one
        for path in told["paths"].values()
        for operation in path.values()
        for one in operation["parameters"]
    }

    assert [name for name, one in (fields | parameters).items() if not _has_description(one)] == []


def _has_description(one: Any) -> bool:
    """Here, or in what it may be; another shape describes itself."""
    parts = [one, one.get("schema", {}), *one.get("anyOf", ())]
    return any("description" in part or "$ref" in part for part in parts)


def test_every_group_of_operations_is_described():
    told = json.loads(OPENAPI_PATH.read_text())
    used = {
        tag for path in told["paths"].values() for operation in path.values() for tag in operation["tags"]
    }

    assert used == {one["name"] for one in told["tags"]}


def test_what_is_answered_is_never_null_and_what_is_not_sent_has_its_default():
    told = json.loads(OPENAPI_PATH.read_text())
    thumbnail = told["components"]["schemas"]["DropOut"]["properties"]["thumbnail_url"]
    version = told["components"]["schemas"]["NewRules"]["properties"]["version"]
    limit = next(one for one in told["paths"]["/v1/drops"]["get"]["parameters"] if one["name"] == "limit")

    assert (thumbnail["type"], limit["schema"]["default"]) == ("string", 25)
    assert {"type": "null"} in version["anyOf"], "where a request may say null, it says so"


@pytest.mark.parametrize("status", [429, 503])
def test_who_is_to_come_back_is_told_where_it_says_when(status: int):
    told = json.loads(OPENAPI_PATH.read_text())

    assert "Retry-After" in told["components"]["responses"][f"Problem{status}"]["headers"]


def test_every_problem_is_shown_as_it_is_answered():
    told = json.loads(OPENAPI_PATH.read_text())
    (media,) = told["components"]["responses"]["Problem429"]["content"].values()

    assert media["examples"]["capacity-exceeded"]["value"] == CapacityExceeded().body()
    for response in told["components"]["responses"].values():
        (media,) = response["content"].values()
        for example in media["examples"].values():
            assert example["value"].keys() >= set(told["components"]["schemas"]["Problem"]["required"])


def test_operations_have_names_of_their_own():
    names = [one.name for one in OPERATIONS]

    assert sorted(set(names)) == sorted(names)


def test_whatever_shows_people_or_decides_is_written_down():
    shows = ("people", "sightings", "alerts", "predict")
    silent = {one.name for one in DOCUMENTED_OPERATIONS if one.tag in shows and not one.audited}

    assert silent == set()


def test_every_problem_has_a_type_and_a_way_out():
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
def test_examples_are_as_good_as_they_look(site: Site, operation: Operation):
    example: Any = operation.example
    if operation.in_query:
        path = operation.path + "?" + "&".join(f"{name}={value}" for name, value in example.items())
        answer = site.request(operation.method, path)
    else:
        answer = site.request(operation.method, operation.path, example)

    assert answer.status == operation.status, answer.text


def test_the_page_takes_nothing_from_elsewhere_and_runs_nothing_inline(site: Site):
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
