"""A request passes authorization, path, body and audit, in this order, before its handler."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from functions.api import middleware
from functions.api.app import app
from functions.api.resources import people
from functions.runtime.container import container

PERSON = "p-" + "0" * 12


class Profiles:
    """Nobody is enrolled."""

    def find(self, person_id: str) -> None:
        return None


class AuditLog:
    """Records (caller, operation)."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str]] = []

    def append(self, caller: Any, operation: str, details: Any, now: Any) -> None:
        self.entries.append((caller.id, operation))


@pytest.fixture
def audit_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[AuditLog]:
    log = AuditLog()
    fake = SimpleNamespace(
        rate_limiter=SimpleNamespace(acquire=lambda *_: 0.0),
        audit_log=log,
        profiles=Profiles(),
        executor=container().executor,
    )
    for module in (middleware, people):
        monkeypatch.setattr(module, "container", lambda: fake)
    monkeypatch.setenv("CORS_ORIGIN", "")
    yield log
    container().executor.shutdown()
    container.cache_clear()


def send(method: str, path: str, body: str = "", *, role: str = "admin", **query: str) -> Any:
    """The response of the app to an event of API Gateway."""
    resource = path.replace(PERSON, "{person}").replace("nonsense", "{person}")
    event = {
        "requestContext": {
            "resourcePath": resource,
            "httpMethod": method,
            "path": f"/api{path}",
            "authorizer": {"principalId": "ann", "role": role, "sources": "null", "galleries": "null"},
        },
        "pathParameters": {"person": path.split("/")[3]} if "{" in resource else None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
        "headers": {"content-type": "application/json"},
        "body": body,
        "isBase64Encoded": False,
        "stageVariables": None,
    }
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 20_000)
    response = app(event, context)
    return SimpleNamespace(status=response["statusCode"], json=json.loads(response["body"]))


@pytest.mark.usefixtures("audit_log")
def test_the_role_is_checked_before_the_body():
    response = send("POST", "/v1/people", "{not json", role="viewer")

    assert (response.status, response.json["type"]) == (403, "urn:vigil:problem:forbidden")


@pytest.mark.usefixtures("audit_log")
def test_a_malformed_id_gets_404_and_an_unknown_query_parameter_400():
    malformed = send("GET", "/v1/people/nonsense")
    unknown = send("GET", "/v1/people", nobody="1")

    assert (malformed.status, unknown.status) == (404, 400)
    assert unknown.json["errors"] == [{"at": "/nobody", "message": "Extra inputs are not permitted"}]


def test_an_invalid_request_is_not_audited_and_a_read_without_a_result_is(audit_log: AuditLog):
    invalid = send("POST", "/v1/people", '{"name": ""}')
    missing = send("GET", f"/v1/people/{PERSON}")

    assert (invalid.status, missing.status) == (400, 404)
    assert audit_log.entries == [("ann", "get-person")]


@pytest.mark.usefixtures("audit_log")
def test_a_body_that_was_not_utf_8_is_refused():
    response = send("POST", "/v1/people", '{"name": "T\ufffdr"}')

    assert (response.status, response.json["detail"]) == (400, "the body is not UTF-8")
