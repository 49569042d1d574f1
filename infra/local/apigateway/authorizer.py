"""Lambda authorizers of an API: ask the function who may do what, remember it, decide."""

from __future__ import annotations

import fnmatch
import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.local.apigateway.events import (
    ApiStage,
    HttpRequest,
    HttpResponse,
    gateway_error,
    to_proxy_event,
)
from infra.local.apigateway.routes import Authorizer, RouteMatch
from infra.local.lambda_.service import LambdaService


@dataclass(frozen=True, slots=True)
class Authorized:
    """What the function finds in `requestContext.authorizer`."""

    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _CachedPolicy:
    policy: Mapping[str, Any]
    expires_at: float


class LambdaAuthorizers:
    """Policies are remembered by identity for the authorizer's TTL, and judged anew for each method."""

    def __init__(self, functions: LambdaService) -> None:
        self._functions = functions
        self._cache: dict[tuple[str, ...], _CachedPolicy] = {}
        self._lock = threading.Lock()

    def authorize(
        self, authorizer: Authorizer, request: HttpRequest, match: RouteMatch, stage: ApiStage
    ) -> Authorized | HttpResponse:
        """Let the request through, or answer it as API Gateway does."""
        identity = [_identity_value(request, *source) for source in authorizer.identity_sources]
        if not all(identity) or not _well_formed(authorizer, identity):
            return gateway_error(401, "Unauthorized", response_type="UNAUTHORIZED")
        key = (authorizer.function, stage.api, *map(str, identity))
        policy = self._cached_policy(key)
        if policy is None:
            called = self._call_authorizer(authorizer, request, match, stage)
            if isinstance(called, HttpResponse):
                return called
            policy = called
            with self._lock:
                self._cache[key] = _CachedPolicy(policy, time.monotonic() + authorizer.ttl_s)
        return _evaluate_policy(policy, stage.method_arn(request))

    def _cached_policy(self, key: tuple[str, ...]) -> Mapping[str, Any] | None:
        cached = self._cache.get(key)
        return cached.policy if cached and cached.expires_at > time.monotonic() else None

    def _call_authorizer(
        self, authorizer: Authorizer, request: HttpRequest, match: RouteMatch, stage: ApiStage
    ) -> Mapping[str, Any] | HttpResponse:
        arn = stage.method_arn(request)
        if authorizer.kind == "token":
            token = _identity_value(request, *authorizer.identity_sources[0])
            authorizer_event = {"type": "TOKEN", "methodArn": arn, "authorizationToken": token}
        else:
            proxy_event = to_proxy_event(request, match, stage, None)
            authorizer_event = {"type": "REQUEST", "methodArn": arn, **proxy_event}
            del authorizer_event["body"], authorizer_event["isBase64Encoded"]
        answer = self._functions.invoke(authorizer.function, json.dumps(authorizer_event).encode())
        policy = answer.payload_json
        if (
            answer.error is not None
            and isinstance(policy, dict)
            and policy.get("errorMessage") == "Unauthorized"
        ):
            return gateway_error(401, "Unauthorized", response_type="UNAUTHORIZED")
        if answer.error is not None or not isinstance(policy, dict) or "policyDocument" not in policy:
            return gateway_error(500, None)
        return policy


def _identity_value(request: HttpRequest, where: str, name: str) -> str | None:
    return request.header(name) if where == "header" else request.parameter(name)


def _well_formed(authorizer: Authorizer, identity: list[str | None]) -> bool:
    return authorizer.validation_expression is None or bool(
        re.fullmatch(authorizer.validation_expression, identity[0] or "")
    )


def _evaluate_policy(policy: Mapping[str, Any], arn: str) -> Authorized | HttpResponse:
    statements = policy["policyDocument"].get("Statement", [])
    effects = {one["Effect"] for one in statements if _applies_to(one, arn)}
    message = "User is not authorized to access this resource"
    if "Deny" in effects:
        return gateway_error(
            403, f"{message} with an explicit deny", key="Message", response_type="ACCESS_DENIED"
        )
    if "Allow" not in effects:
        return gateway_error(403, message, key="Message", response_type="ACCESS_DENIED")
    return Authorized({**(policy.get("context") or {}), "principalId": policy.get("principalId")})


def _applies_to(statement: Mapping[str, Any], arn: str) -> bool:
    actions, resources = _to_list(statement.get("Action")), _to_list(statement.get("Resource"))
    invokes = any(fnmatch.fnmatchcase("execute-api:invoke", action.lower()) for action in actions)
    return invokes and any(fnmatch.fnmatchcase(arn, one.replace("[", "[[]")) for one in resources)


def _to_list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value or ""]
