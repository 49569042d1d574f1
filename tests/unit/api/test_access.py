"""Every operation × role × kind of token: allowed or refused as docs/access.md states."""

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest
from chalice import Response
from generate import ACCESS_PATH

from functions.api import middleware
from functions.api.operation import Operation
from functions.api.routes import DOCUMENTED_OPERATIONS
from vigil.access.roles import CAMERA_OPERATIONS, ROLES, Caller

ROWS = {
    name: (role, bound)
    for name, role, bound in re.findall(
        r"^\| ([a-z-]+) \| `[^`]+` \| (\w[\w ]*) \| (refused|gallery|limited|allowed) \|$",
        ACCESS_PATH.read_text(),
        re.MULTILINE,
    )
}
TOKENS = {"of all sources": None, "of some sources": ["door-*"]}


@pytest.fixture(autouse=True)
def _handlers_that_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every handler answers 200, and bodies are not read."""
    fake = SimpleNamespace(
        rate_limiter=SimpleNamespace(acquire=lambda *_: 0.0),
        audit_log=SimpleNamespace(append=lambda *_: None),
        executor=SimpleNamespace(submit=lambda run: SimpleNamespace(result=run)),
    )
    monkeypatch.setattr(middleware, "container", lambda: fake)
    monkeypatch.setattr(middleware, "_read_body", lambda *_: ("", b""))
    monkeypatch.setattr(middleware, "_parse_payload", lambda *_: None)
    monkeypatch.setattr(middleware, "_call_handler", lambda *_: Response("", status_code=200))


def status_for(
    operation: Operation, role: str, sources: list[str] | None, galleries: list[str] | None = None
) -> int:
    request: Any = SimpleNamespace(
        context={
            "authorizer": {
                "principalId": "ann",
                "role": role,
                "sources": json.dumps(sources),
                "galleries": json.dumps(galleries),
            }
        },
        uri_params={},
        headers={},
        lambda_context=None,
    )
    return middleware.serve(operation, request).status_code


def test_the_page_has_a_row_for_every_operation():
    assert [*ROWS] == [one.name for one in DOCUMENTED_OPERATIONS]


@pytest.mark.parametrize("operation", DOCUMENTED_OPERATIONS, ids=lambda one: one.name)
def test_an_operation_is_allowed_or_refused_for_each_role_and_kind_of_token(operation: Operation):
    lowest, bound = ROWS[operation.name]
    allowed_roles = ROLES if lowest == "no token" else ROLES[ROLES.index(lowest) :]
    expected = {
        (role, kind): 200
        if role in allowed_roles and not (sources and bound in ("refused", "gallery"))
        else 403
        for role in ROLES
        for kind, sources in TOKENS.items()
    }

    found = {
        (role, kind): status_for(operation, role, sources)
        for role in ROLES
        for kind, sources in TOKENS.items()
    }

    assert found == expected


def test_every_operation_that_changes_something_is_on_the_audit_log():
    """Cameras report themselves every half a minute: the audit log would consist of that."""
    unaudited = {one.name for one in DOCUMENTED_OPERATIONS if one.method != "GET" and not one.audited}

    assert unaudited == {"dry-run-rules", "report-camera"}


def test_a_camera_uploads_and_reports_itself_and_may_do_nothing_else():
    needing_token = [one for one in DOCUMENTED_OPERATIONS if one.role is not None]

    allowed = {one.name for one in needing_token if status_for(one, "camera", ["door-3"]) == 200}

    assert allowed == {"create-upload", "report-camera"} == CAMERA_OPERATIONS


@pytest.mark.parametrize(
    ("sources", "may"), [(None, False), ((), False), (("door-3",), True), (("door-4",), False)]
)
def test_a_camera_accesses_the_sources_of_its_token_and_none_without_names(
    sources: tuple[str, ...] | None, may: bool
):
    assert Caller("c", "camera", sources).can_access_source("door-3") is may


def test_no_token_of_one_door_decides_about_people():
    people = [one for one in DOCUMENTED_OPERATIONS if one.tag == "people"]

    assert len(people) > 5
    assert {status_for(one, "admin", ["door-1"]) for one in people} == {403}
    assert {status_for(one, "admin", ["door-1"], ["staff"]) for one in people} == {200}
