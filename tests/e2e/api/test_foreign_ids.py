"""For all operations: unknown ids, foreign ids, foreign cursors and foreign origins are refused."""

import json
from typing import Any

import pytest
from chalice.test import Client
from generate import OPENAPI_PATH

from functions.api.app import app
from functions.api.operation import Operation
from functions.api.routes import DOCUMENTED_OPERATIONS
from tests.e2e.api.conftest import ORIGIN, PHOTOS, Answer, Site
from tests.e2e.api.test_authorization import PLACEHOLDER_IDS

OBAMA = (PHOTOS / "obama2.jpg").read_bytes()
DESCRIPTION: dict[str, dict[str, Any]] = json.loads(OPENAPI_PATH.read_text())["paths"]
LISTS = {
    path: [one["name"] for one in responses["get"]["parameters"]]
    for path, responses in DESCRIPTION.items()
    if {"cursor", "limit"} <= {one["name"] for one in responses.get("get", {}).get("parameters", ())}
}
"""Parameters of each list by its path."""

OPERATIONS_BY_ID = [
    one
    for one in DOCUMENTED_OPERATIONS
    if {*one.parameters} - {"lane"} and one.name not in ("start-training", "report-camera")
]
"""Without lanes, which always exist, the start of a training, which checks the model last, and the report
of a camera, which may be the first that is known of its source."""

OPERATIONS_BY_SOURCE = [
    one for one in OPERATIONS_BY_ID if any(name in one.path for name in ("{drop}", "{alert}", "{upload}"))
]


@pytest.fixture(scope="session")
def cursors(site: Site, biden: str, alert: dict[str, Any]) -> dict[str, str]:
    """A cursor to the second item of each list."""
    site.upload_drop((PHOTOS / "biden.jpg").read_bytes(), "gate-2")
    site.request("POST", "/v1/people", {"name": "Somebody Else"})
    return {path: site.request("GET", f"{path}?limit=1").json["next"] for path in LISTS}


@pytest.fixture(scope="session")
def gate_ids(site: Site, alert: dict[str, Any]) -> dict[str, str]:
    """Ids of resources of the source gate-1."""
    upload = site.request("POST", "/v1/uploads", {"source": "gate-1"}).json["id"]
    return {"alert": alert["id"], "drop": alert["drop"], "upload": upload}


@pytest.mark.parametrize("path", LISTS)
def test_a_cursor_is_valid_only_for_its_caller_list_and_filters(
    site: Site, cursors: dict[str, str], path: str
):
    own = cursors[path]
    other = site.token("admin", subject="somebody-else")
    narrowed = next(name for name in ("tag", "source", "caller") if name in LISTS[path])
    wrong = {"changed": own[:-2] + ("AA" if own[-2:] != "AA" else "BB"), "made up": "x" * len(own)}
    wrong |= {f"of {list_}": cursor for list_, cursor in cursors.items() if list_ != path}

    good = site.request("GET", f"{path}?cursor={own}")
    responses = {what: site.request("GET", f"{path}?cursor={cursor}") for what, cursor in wrong.items()}
    responses["another caller's"] = site.request("GET", f"{path}?cursor={own}", token=other)
    responses["with another filter"] = site.request("GET", f"{path}?cursor={own}&{narrowed}=door-9")

    assert good.status == 200
    assert {what: (one.status, one.json["type"]) for what, one in responses.items()} == dict.fromkeys(
        responses, (400, "urn:vigil:problem:invalid-cursor")
    )


@pytest.mark.parametrize("operation", OPERATIONS_BY_ID, ids=lambda one: one.name)
def test_an_unknown_id_gets_404(site: Site, operation: Operation):
    answer = request_operation(site, operation, PLACEHOLDER_IDS | {"model": "nothing"})

    assert (answer.status, answer.json["type"]) == (404, "urn:vigil:problem:not-found")


@pytest.mark.parametrize("operation", OPERATIONS_BY_SOURCE, ids=lambda one: one.name)
def test_an_id_of_a_source_that_the_caller_cannot_access_gets_404(
    site: Site, gate_ids: dict[str, str], operation: Operation
):
    stranger = site.token("admin", "door-*", subject="stranger")

    answer = request_operation(site, operation, gate_ids, token=stranger)

    assert (answer.status, answer.json["type"]) == (404, "urn:vigil:problem:not-found")


def request_operation(
    site: Site, operation: Operation, ids: dict[str, str], token: str | None = None
) -> Answer:
    """Send a valid request, so that only the id can be wrong."""
    path = operation.path.format_map(ids)
    if operation.body_types:
        return site.request(operation.method, path, OBAMA, media="image/jpeg", token=token)
    body = None if operation.in_query or operation.request_model is None else operation.example or {}
    return site.request(operation.method, path, body, token=token)


@pytest.mark.parametrize("path", sorted({one.path for one in DOCUMENTED_OPERATIONS}))
def test_the_configured_origin_gets_the_allowed_methods_in_a_preflight(site: Site, path: str):
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}

    answer = site.request("OPTIONS", path.format_map(PLACEHOLDER_IDS), headers=headers, token="")

    methods = {one.method for one in DOCUMENTED_OPERATIONS if one.path == path}
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, ORIGIN)
    assert set(answer.headers["Access-Control-Allow-Methods"].split(", ")) == methods
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]


def test_the_configured_origin_may_read_responses(site: Site):
    answers = [
        site.request("GET", "/v1/drops", headers={"Origin": ORIGIN}),
        site.request("GET", f"/v1/drops/{PLACEHOLDER_IDS['drop']}", headers={"Origin": ORIGIN}),
        site.request("GET", "/v1/drops", headers={"Origin": ORIGIN}, token="expired"),
        site.request("GET", "/v1/nothing", headers={"Origin": ORIGIN}),
    ]

    assert [one.status for one in answers] == [200, 404, 401, 404]
    for one in answers:
        assert (one.headers["Access-Control-Allow-Origin"], one.headers["Vary"]) == (ORIGIN, "Origin")
        assert "Access-Control-Allow-Credentials" not in one.headers


@pytest.mark.parametrize("origin", ["https://console.example", "", "null", "*"])
def test_without_a_configured_origin_no_origin_may_call(monkeypatch: pytest.MonkeyPatch, origin: str):
    monkeypatch.setenv("CORS_ORIGIN", "")
    with Client(app) as client:
        read = client.http.get("/v1/health", headers={"Origin": origin})
        asked = client.http.request("OPTIONS", "/v1/drops", headers={"Origin": origin})

    assert (read.status_code, asked.status_code) == (200, 403)
    assert not [name for one in (read, asked) for name in one.headers if name.startswith("Access-Control")]
