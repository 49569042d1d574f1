"""Requests without a valid token, a sufficient role or access to the source are refused."""

import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from functions.api.operation import Operation
from functions.api.routes import DOCUMENTED_OPERATIONS
from tests.e2e.api.conftest import Site
from vigil.access.roles import ROLES

AUTHENTICATED_OPERATIONS = [one for one in DOCUMENTED_OPERATIONS if one.role is not None]
PLACEHOLDER_IDS = {
    "drop": "0" * 32,
    "alert": "0" * 32,
    "person": "p-" + "0" * 12,
    "upload": "x" * 30,
    "thumbnail": "x" * 30,
    "model": "faces",
    "release": "0" * 32,
    "lane": "bulk",
    "message": "0" * 8 + "-0000-0000-0000-" + "0" * 12,
    "run": "0" * 32,
    "photo": "0" * 8 + "-0000-0000-0000-" + "0" * 12,
    "source": "door-3",
    "subscription": "0" * 8 + "-0000-0000-0000-" + "0" * 12,
}
BYTES_LIMIT = 256 * 1024


def path_of(operation: Operation) -> str:
    return operation.path.format_map(PLACEHOLDER_IDS)


def signed(site: Site, key: Any, algorithm: str, **claims: Any) -> str:
    """A token of the local issuer with the given key, algorithm and claims."""
    issuer = site.running._running_components.issuer
    now = int(time.time())
    payload = {"iss": issuer.url, "aud": issuer.audience, "sub": "eve", "iat": now, "exp": now + 600}
    payload |= {"vigil_role": "admin"} | claims
    return jwt.encode(payload, key, algorithm=algorithm, headers={"kid": issuer.key_id})


@pytest.fixture(scope="session")
def bad_tokens(site: Site) -> dict[str, str]:
    issuer = site.running._running_components.issuer
    other = ec.generate_private_key(ec.SECP256R1())
    good = issuer.issue_token("admin", subject="ann")
    head, body, tail = good.split(".")
    return {
        "none": "",
        "garbage": "not.a.token",
        "expired": issuer.issue_token("admin", subject="ann", lifetime_s=-600),
        "another key's": signed(site, other, "ES256"),
        "another algorithm's": signed(site, rsa.generate_private_key(65537, 2048), "RS256"),
        "a shared secret's": signed(site, "x" * 64, "HS256"),
        "another audience's": signed(site, issuer.key, "ES256", aud="other"),
        "another issuer's": signed(site, issuer.key, "ES256", iss="https://evil.example"),
        "no role's": signed(site, issuer.key, "ES256", vigil_role="king"),
        "unsigned": jwt.encode({"sub": "eve"}, "", algorithm="none"),
        "changed": f"{head}.{body[:-4]}AAAA.{tail}",
    }


@pytest.mark.parametrize("operation", AUTHENTICATED_OPERATIONS, ids=lambda one: one.name)
def test_an_operation_requires_a_valid_token_with_a_sufficient_role(
    site: Site, bad_tokens: dict[str, str], operation: Operation
):
    method, path = operation.method, path_of(operation)
    responses = {what: site.request(method, path, token=token) for what, token in bad_tokens.items()}
    assert operation.role is not None
    below = ROLES[: ROLES.index(operation.role)]
    lesser = [site.request(method, path, {}, role=role) for role in below]

    assert {what: one.status for what, one in responses.items()} == dict.fromkeys(bad_tokens, 401)
    assert [one.status for one in lesser] == [403] * len(below)
    for one in (*responses.values(), *lesser):
        assert one.headers["Content-Type"] == "application/problem+json"
        assert one.json["type"].startswith("urn:vigil:problem:")


def test_a_token_limited_to_sources_cannot_read_other_sources(site: Site, biden: str, alert: dict[str, Any]):
    limited = site.token("reviewer", "door-*", subject="limited")

    listed = [
        site.request("GET", path, token=limited).json["items"]
        for path in ("/v1/drops?source=gate-1", "/v1/alerts?source=gate-1", f"/v1/sightings?person={biden}")
    ]
    direct = [
        site.request("GET", f"/v1/drops/{alert['drop']}", token=limited),
        site.request("GET", f"/v1/alerts/{alert['id']}", token=limited),
        site.request("POST", f"/v1/alerts/{alert['id']}/reviews", {"decision": "confirm"}, token=limited),
    ]

    assert [one for items in listed for one in items if not one["source"].startswith("door-")] == []
    assert [one.status for one in direct] == [404, 404, 404]


def test_a_token_limited_to_sources_cannot_upload_to_other_sources(site: Site):
    camera = site.token("operator", "door-*", subject="camera")

    assert site.request("POST", "/v1/uploads", {"source": "vault"}, token=camera).status == 403
    assert site.request("POST", "/v1/uploads", {"source": "door-1"}, token=camera).status == 201


@pytest.mark.parametrize(
    "operation",
    [one for one in DOCUMENTED_OPERATIONS if one.bound_tokens in ("refused", "gallery")],
    ids=lambda one: one.name,
)
def test_a_limited_token_cannot_call_operations_about_all_sources(site: Site, operation: Operation):
    bound = site.token("admin", "door-*", subject="doorman")
    body = None if operation.method == "GET" else operation.example or {}

    answer = site.request(operation.method, path_of(operation), body, token=bound)

    assert (answer.status, answer.json["type"]) == (403, "urn:vigil:problem:forbidden")
    assert "sources" in answer.json["detail"]


def test_operations_on_lanes_rules_and_models_concern_all_sources():
    about_all = {one.tag for one in DOCUMENTED_OPERATIONS if one.bound_tokens == "refused"}

    assert about_all == {"audit", "triage", "lanes", "reconcile", "backfill", "rules", "models"}


def test_a_body_above_the_limit_is_refused(site: Site):
    answer = site.request("POST", "/v1/people", {"name": "x" * BYTES_LIMIT})

    assert (answer.status, answer.json["type"]) == (413, "urn:vigil:problem:too-large")


def test_an_unsupported_media_type_is_refused(site: Site):
    assert site.request("POST", "/v1/people", b"<x/>", media="application/xml").status == 415


def test_the_rate_limiter_returns_the_wait_until_the_next_minute(site: Site):
    from datetime import UTC, datetime

    from cloud.dynamodb.rate_limit import CALLS_PER_RESERVATION, DynamoRateLimiter

    permits = DynamoRateLimiter(
        site.cloud.client("dynamodb"), site.cloud.outputs["CallersTable"], per_minute=50
    )
    now = datetime(2026, 3, 2, 12, 0, 20, tzinfo=UTC)

    waits = [permits.acquire("hasty", now) for _ in range(100)]

    assert waits.count(0.0) == 2 * CALLS_PER_RESERVATION
    assert {wait for wait in waits if wait} == {40.0}
    assert permits.acquire("hasty", datetime(2026, 3, 2, 12, 1, tzinfo=UTC)) == 0.0


def test_a_caller_above_the_rate_limit_gets_429_and_others_do_not(site: Site):
    hasty, patient = (site.token("viewer", subject=name) for name in ("too-hasty", "patient"))
    minute = int(time.time()) // 60
    for each in (minute, minute + 1):  # as after a million calls
        site.cloud.client("dynamodb").put_item(
            TableName=site.cloud.outputs["CallersTable"],
            Item={"id": {"S": f"rate_limit#too-hasty#{each}"}, "calls": {"N": "1000000"}},
        )

    refused, allowed = (site.request("GET", "/v1/drops", token=token) for token in (hasty, patient))

    assert (refused.status, refused.json["type"]) == (429, "urn:vigil:problem:too-many-requests")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert allowed.status == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/drops", {"GET", "OPTIONS"}),
        ("DELETE", "/v1/rules", {"GET", "PUT", "OPTIONS"}),
        ("POST", "/v1/people/p-000000000000", {"GET", "PATCH", "DELETE", "OPTIONS"}),
        ("HEAD", "/v1/health", {"GET", "OPTIONS"}),
    ],
)
def test_an_unknown_method_gets_405_with_the_allowed_methods(
    site: Site, method: str, path: str, allowed: set[str]
):
    answer = site.request(method, path, token="")

    assert answer.status == 405
    assert set(answer.headers["Allow"].split(", ")) == allowed
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert method == "HEAD" or answer.json["type"] == "urn:vigil:problem:method-not-allowed"


def test_a_body_above_the_gateways_limit_gets_a_problem(site: Site):
    answer = site.request("POST", "/v1/people", b"x" * (10 * 1024 * 1024 + 1))

    assert (answer.status, answer.json["type"]) == (413, "urn:vigil:problem:too-large")


def test_other_origins_get_no_cors_headers(site: Site):
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}

    answers = [
        site.request("GET", "/v1/drops", headers=headers),
        site.request("OPTIONS", "/v1/drops", headers=headers, token=""),
    ]

    assert [one.status for one in answers] == [200, 403]
    assert not any(name.lower().startswith("access-control") for one in answers for name in one.headers)


def test_every_response_has_the_security_headers(site: Site):
    for answer in (
        site.request("GET", "/v1/drops"),
        site.request("GET", "/v1/drops/x"),
        site.request("GET", "/v1/health"),
    ):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "max-age=" in answer.headers["Strict-Transport-Security"]


def test_reads_and_decisions_are_in_an_unbroken_audit_log(site: Site, alert: dict[str, Any]):
    from cloud.dynamodb.audit_log import DynamoAuditLog
    from vigil.access.audit import find_first_break

    token = site.token("reviewer", subject="auditee")
    site.request("GET", f"/v1/alerts/{alert['id']}", token=token)
    site.request("POST", f"/v1/alerts/{alert['id']}/reviews", {"decision": "confirm"}, token=token)
    log = DynamoAuditLog(site.cloud.client("dynamodb"), site.cloud.outputs["AuditTable"])

    chains = [list(chain) for chain in log.read_chains()]

    acts = [
        (one.operation, dict(one.resource_ids))
        for chain in chains
        for one, _ in chain
        if one.caller == "auditee"
    ]
    about = {"alert": alert["id"]}
    assert acts == [("get-alert", about), ("review-alert", about | {"decision": "confirm"})]
    assert [find_first_break(chain) for chain in chains] == [None] * len(chains)
