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

from infra.local import proxy_events
from infra.local.functions import Functions
from infra.local.proxy_events import Reply, Request, Stage, message
from infra.local.routes import Authorizer, Match


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the function finds in `requestContext.authorizer`."""

    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Known:
    policy: Mapping[str, Any]
    until: float


class Authorizers:
    """Policies are remembered by identity for the authorizer's TTL, and judged anew for each method."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._known: dict[tuple[str, ...], _Known] = {}
        self._lock = threading.Lock()

    def decide(self, authorizer: Authorizer, request: Request, match: Match, stage: Stage) -> Allowed | Reply:
        """Let the request through, or answer it as API Gateway does."""
        identity = [_identity(request, *source) for source in authorizer.sources]
        if not all(identity) or not _well_formed(authorizer, identity):
            return message(401, "Unauthorized", kind="UNAUTHORIZED")
        key = (authorizer.function, stage.api, *map(str, identity))
        policy = self._remembered(key)
        if policy is None:
            asked = self._ask(authorizer, request, match, stage)
            if isinstance(asked, Reply):
                return asked
            policy = asked
            with self._lock:
                self._known[key] = _Known(policy, time.monotonic() + authorizer.ttl_s)
        return _judge(policy, stage.method_arn(request))

    def _remembered(self, key: tuple[str, ...]) -> Mapping[str, Any] | None:
        known = self._known.get(key)
        return known.policy if known and known.until > time.monotonic() else None

    def _ask(
        self, authorizer: Authorizer, request: Request, match: Match, stage: Stage
    ) -> Mapping[str, Any] | Reply:
        arn = stage.method_arn(request)
        if authorizer.kind == "token":
            token = _identity(request, *authorizer.sources[0])
            asked = {"type": "TOKEN", "methodArn": arn, "authorizationToken": token}
        else:
            whole = proxy_events.event(request, match, stage, None)
            asked = {"type": "REQUEST", "methodArn": arn, **whole}
            del asked["body"], asked["isBase64Encoded"]
        answer = self._functions.invoke(authorizer.function, json.dumps(asked).encode())
        policy = answer.json
        if (
            answer.error is not None
            and isinstance(policy, dict)
            and policy.get("errorMessage") == "Unauthorized"
        ):
            return message(401, "Unauthorized", kind="UNAUTHORIZED")
        if answer.error is not None or not isinstance(policy, dict) or "policyDocument" not in policy:
            return message(500, None)
        return policy


def _identity(request: Request, where: str, name: str) -> str | None:
    return request.header(name) if where == "header" else request.parameter(name)


def _well_formed(authorizer: Authorizer, identity: list[str | None]) -> bool:
    return authorizer.expression is None or bool(re.fullmatch(authorizer.expression, identity[0] or ""))


def _judge(policy: Mapping[str, Any], arn: str) -> Allowed | Reply:
    statements = policy["policyDocument"].get("Statement", [])
    effects = {one["Effect"] for one in statements if _covers(one, arn)}
    refused = "User is not authorized to access this resource"
    if "Deny" in effects:
        return message(403, f"{refused} with an explicit deny", key="Message", kind="ACCESS_DENIED")
    if "Allow" not in effects:
        return message(403, refused, key="Message", kind="ACCESS_DENIED")
    return Allowed({**(policy.get("context") or {}), "principalId": policy.get("principalId")})


def _covers(statement: Mapping[str, Any], arn: str) -> bool:
    actions, resources = _listed(statement.get("Action")), _listed(statement.get("Resource"))
    invokes = any(fnmatch.fnmatchcase("execute-api:invoke", action.lower()) for action in actions)
    return invokes and any(fnmatch.fnmatchcase(arn, one.replace("[", "[[]")) for one in resources)


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value or ""]
