"""A token is valid only if each of its claims has the declared type; its sources reach the API unchanged."""

import json
import time
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from chalice.app import AuthRequest

from cloud.jwt_tokens import JwtVerifier, NotYetValid
from functions import authorizer
from functions.api import middleware
from functions.api.operation import Operation
from functions.api.problems import Forbidden, NotAuthenticated
from functions.api.routes import DOCUMENTED_OPERATIONS
from infra.local.issuer import Issuer
from vigil.access.roles import Caller

LIST_DROPS = next(one for one in DOCUMENTED_OPERATIONS if one.name == "list-drops")
PAUSE_LANE = next(one for one in DOCUMENTED_OPERATIONS if one.name == "pause-lane")


class Tokens:
    """An issuer, and the verifier of its tokens."""

    def __init__(self) -> None:
        self.issuer = Issuer("http://issuer", "vigil")
        self.verifier = JwtVerifier(
            issuer=self.issuer.url,
            audience=self.issuer.audience,
            jwks_url=self.issuer.url,
            role_claim="vigil_role",
            sources_claim="vigil_sources",
            galleries_claim="vigil_galleries",
        )

    def authenticate(self, **claims: Any) -> Caller | None:
        now = int(time.time())
        content = {"iss": self.issuer.url, "aud": self.issuer.audience, "sub": "ann", "iat": now}
        content |= {"exp": now + 60, "vigil_role": "admin"} | claims
        token = jwt.encode(content, self.issuer.key, algorithm="ES256", headers={"kid": self.issuer.key_id})
        return self.verifier.authenticate(f"Bearer {token}")


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> Tokens:
    tokens = Tokens()
    monkeypatch.setattr(jwt.PyJWKClient, "fetch_data", lambda _: json.loads(tokens.issuer.jwks()))
    return tokens


def test_a_token_without_the_claim_of_sources_can_access_all_sources(tokens: Tokens):
    caller = tokens.authenticate()

    assert caller is not None
    assert (caller.sources, caller.is_bound, caller.can_access_source("vault")) == (None, False, True)


@pytest.mark.parametrize("claim", [["door-*", "gate"], "door-* gate"])
def test_a_token_with_sources_is_bound_to_them(tokens: Tokens, claim: Any):
    caller = tokens.authenticate(vigil_sources=claim)

    assert caller is not None
    assert [caller.can_access_source(name) for name in ("door-1", "gate", "vault")] == [True, True, False]


@pytest.mark.parametrize(
    "claim",
    [[], "", " ", [""], [" "], {}, {"door-1": True}, 0, 1, 1.5, True, False, None, [1], ["door-1", None]],
    ids=repr,
)
@pytest.mark.parametrize("name", ["vigil_sources", "vigil_galleries"])
def test_a_claim_of_sources_or_galleries_that_is_empty_or_of_another_type_makes_the_token_invalid(
    tokens: Tokens, name: str, claim: Any
):
    assert tokens.authenticate(**{name: claim}) is None


@pytest.mark.parametrize(
    ("claims", "accessible"),
    [
        ({}, ["staff-1", "members"]),
        ({"vigil_galleries": "staff-*"}, ["staff-1"]),
        ({"vigil_sources": ["door-*"]}, []),
        ({"vigil_sources": ["door-*"], "vigil_galleries": ["members"]}, ["members"]),
    ],
    ids=["unlimited", "galleries", "sources only", "both"],
)
def test_a_token_with_sources_needs_galleries_of_its_own_to_access_people(
    tokens: Tokens, claims: dict[str, Any], accessible: list[str]
):
    caller = tokens.authenticate(**claims)

    assert caller is not None
    assert [one for one in ("staff-1", "members") if caller.can_access_gallery(one)] == accessible


@pytest.mark.parametrize("claim", [[], "", {}, {"admin": 1}, 7, True, None, ["admin", 7], ["king"]], ids=repr)
def test_a_claim_of_roles_that_is_empty_or_of_another_type_makes_the_token_invalid(
    tokens: Tokens, claim: Any
):
    assert tokens.authenticate(vigil_role=claim) is None


@pytest.mark.parametrize("subject", ["", 7, None, ["ann"]], ids=repr)
def test_a_token_needs_a_subject(tokens: Tokens, subject: Any):
    assert tokens.authenticate(sub=subject) is None


def authorize(operation: Operation, context: dict[str, str]) -> Caller:
    request: Any = SimpleNamespace(context={"authorizer": context})
    return middleware.authorize(operation, request)


@pytest.mark.parametrize(("ahead_s", "is_accepted"), [(20, True), (50, True), (300, False)])
def test_a_clock_that_is_a_little_ahead_is_tolerated_and_another_one_is_named(
    tokens: Tokens, ahead_s: int, is_accepted: bool
):
    issued = int(time.time()) + ahead_s

    if is_accepted:
        assert tokens.authenticate(iat=issued, nbf=issued, exp=issued + 60) is not None
    else:
        with pytest.raises(NotYetValid, match="the clocks differ by more than 60 s"):
            tokens.authenticate(iat=issued, nbf=issued, exp=issued + 60)


@pytest.mark.usefixtures("_no_rate_limit")
def test_the_answer_to_a_token_of_the_future_says_that_it_is_the_clock(monkeypatch: pytest.MonkeyPatch):
    def authenticate(_: str) -> Caller:
        raise NotYetValid("the token is not valid yet: the clocks differ")

    verifier = SimpleNamespace(authenticate=authenticate)
    monkeypatch.setattr(authorizer, "container", lambda: SimpleNamespace(token_verifier=verifier))
    event = {
        "type": "TOKEN",
        "authorizationToken": "Bearer x",
        "methodArn": "arn:aws:execute-api:eu-west-1:1:api/stage/GET/v1/drops",
    }

    answer = authorizer.on_token(event, None)

    with pytest.raises(NotAuthenticated, match="the clocks differ") as refused:
        authorize(LIST_DROPS, {"principalId": answer["principalId"], **answer["context"]})
    assert refused.value.status == 401


@pytest.fixture
def _no_rate_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    free = SimpleNamespace(rate_limiter=SimpleNamespace(acquire=lambda *_: 0.0))
    monkeypatch.setattr(middleware, "container", lambda: free)


@pytest.mark.usefixtures("_no_rate_limit")
@pytest.mark.parametrize("sources", [None, ("door-*", "gate"), ("a name with spaces",), ()])
def test_the_sources_and_galleries_of_a_token_reach_the_api_unchanged(
    monkeypatch: pytest.MonkeyPatch, sources: tuple[str, ...] | None
):
    caller = Caller("ann", "admin", sources, sources)
    verifier = SimpleNamespace(authenticate=lambda _: caller)
    monkeypatch.setattr(authorizer, "container", lambda: SimpleNamespace(token_verifier=verifier))
    request = AuthRequest("TOKEN", "Bearer x", "arn:aws:execute-api:eu-west-1:1:api/stage/GET/v1/drops")

    answer = authorizer.on_token(
        {"type": "TOKEN", "authorizationToken": "Bearer x", "methodArn": request.method_arn}, None
    )

    context = {"principalId": answer["principalId"], **answer["context"]}
    assert authorize(LIST_DROPS, context) == caller


@pytest.mark.usefixtures("_no_rate_limit")
def test_a_request_whose_authorizer_states_no_sources_is_refused():
    with pytest.raises(Forbidden, match="states no sources"):
        authorize(LIST_DROPS, {"principalId": "ann", "role": "admin"})


@pytest.mark.usefixtures("_no_rate_limit")
def test_a_caller_without_any_source_is_bound():
    context = {"principalId": "ann", "role": "admin", "sources": json.dumps([]), "galleries": "null"}

    assert not authorize(LIST_DROPS, context).can_access_source("door-1")
    with pytest.raises(Forbidden, match="all sources"):
        authorize(PAUSE_LANE, context)
