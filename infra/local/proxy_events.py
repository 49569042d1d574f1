"""An HTTP request → the event that API Gateway gives to a function, and the function's answer → HTTP."""

from __future__ import annotations

import base64
import binascii
import fnmatch
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from infra.local.answers import Answer
from infra.local.identities import Place
from infra.local.routes import Match

_IDENTITY = (
    "cognitoIdentityPoolId",
    "accountId",
    "cognitoIdentityId",
    "caller",
    "accessKey",
    "cognitoAuthenticationType",
    "cognitoAuthenticationProvider",
    "userArn",
    "user",
    "apiKey",
    "apiKeyId",
)


@dataclass(frozen=True, slots=True)
class Request:
    """What came over HTTP; `path` is without the stage."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    source_ip: str

    def header(self, name: str) -> str | None:
        """The last value of a header."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return values[-1] if values else None

    def parameter(self, name: str) -> str | None:
        """The last value of a query parameter."""
        values = parse_qs(self.query, keep_blank_values=True).get(name)
        return values[-1] if values else None


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back over HTTP."""

    status: int
    body: bytes
    headers: Sequence[tuple[str, str]] = ()
    kind: str = ""
    """API Gateway's name for an answer of its own, such as UNAUTHORIZED."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Which API a request reached."""

    api: str
    name: str
    variables: Mapping[str, str] | None
    binary_types: Sequence[str]
    place: Place

    def method_arn(self, request: Request) -> str:
        """The ARN that authorizers allow or deny."""
        path = request.path.lstrip("/")
        return self.place.arn("execute-api", f"{self.api}/{self.name}/{request.method}/{path}")

    def is_binary(self, media_type: str | None) -> bool:
        """Whether this media type travels as bytes."""
        plain = (media_type or "").split(";")[0].strip().lower()
        return any(fnmatch.fnmatchcase(plain, one.lower()) for one in self.binary_types) if plain else False


def event(
    request: Request, match: Match, stage: Stage, authorizer: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The REST proxy event, version 1.0."""
    binary = bool(request.body) and stage.is_binary(request.header("Content-Type"))
    body = base64.b64encode(request.body).decode() if binary else request.body.decode(errors="replace")
    return {
        **describe(request, match, stage),
        "requestContext": _context(request, match, stage, authorizer),
        "body": body or None,
        "isBase64Encoded": binary,
    }


def describe(request: Request, match: Match, stage: Stage) -> dict[str, Any]:
    """The part that a function and a REQUEST authorizer both get."""
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        headers.setdefault(name, []).append(value)
    headers |= {name: [value] for name, value in _forwarded(request).items()}
    query = parse_qs(request.query, keep_blank_values=True)
    return {
        "resource": match.route.resource,
        "path": request.path,
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in headers.items()} or None,
        "multiValueHeaders": headers or None,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(match.parameters) or None,
        "stageVariables": stage.variables,
    }


def _forwarded(request: Request) -> dict[str, str]:
    """What the gateway says of the way that a request came."""
    port = (request.header("Host") or "").rpartition(":")[2]
    return {"X-Forwarded-For": request.source_ip, "X-Forwarded-Proto": "http", "X-Forwarded-Port": port}


def _context(
    request: Request, match: Match, stage: Stage, authorizer: Mapping[str, Any] | None
) -> dict[str, Any]:
    now = time.time()
    context: dict[str, Any] = {
        "accountId": stage.place.account,
        "apiId": stage.api,
        "domainName": request.header("Host"),
        "extendedRequestId": uuid.uuid4().hex[:15] + "=",
        "httpMethod": request.method,
        "identity": {
            **dict.fromkeys(_IDENTITY),
            "sourceIp": request.source_ip,
            "userAgent": request.header("User-Agent"),
        },
        "path": f"/{stage.name}{request.path}",
        "protocol": "HTTP/1.1",
        "requestId": str(uuid.uuid4()),
        "requestTime": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "requestTimeEpoch": int(now * 1000),
        "resourceId": uuid.uuid5(uuid.NAMESPACE_URL, match.route.resource).hex[:6],
        "resourcePath": match.route.resource,
        "stage": stage.name,
    }
    if authorizer is not None:
        context["authorizer"] = dict(authorizer)
    return context


def message(status: int, text: str | None, *, key: str = "message", kind: str = "") -> Reply:
    """An answer of the gateway itself."""
    family = kind or ("DEFAULT_5XX" if status >= 500 else "DEFAULT_4XX")
    return Reply(status, json.dumps({key: text}).encode(), (("Content-Type", "application/json"),), family)


def reply(answer: Answer, request: Request, stage: Stage) -> Reply:
    """The function's answer over HTTP; anything but a well-formed proxy response is a 502."""
    shaped = answer.json
    broken = message(502, "Internal server error")
    if answer.error is not None or not isinstance(shaped, dict):
        return broken
    status, headers, body = shaped.get("statusCode", 200), _headers(shaped), shaped.get("body") or ""
    if (
        not isinstance(status, (int, str))
        or not str(status).isdigit()
        or headers is None
        or not isinstance(body, str)
    ):
        return broken
    if not shaped.get("isBase64Encoded"):
        return Reply(int(status), body.encode(), headers)
    accepted = (request.header("Accept") or "").split(",")[0]
    if not stage.is_binary(accepted):
        return Reply(int(status), body.encode(), headers)
    try:
        return Reply(int(status), base64.b64decode(body, validate=True), headers)
    except binascii.Error:
        return broken


def _headers(shaped: Mapping[str, Any]) -> list[tuple[str, str]] | None:
    """All response headers; several values of one name win over a single one. None if malformed."""
    single, multiple = shaped.get("headers") or {}, shaped.get("multiValueHeaders") or {}
    if not isinstance(single, dict) or not isinstance(multiple, dict):
        return None
    repeated = {name.lower() for name in multiple}
    kept = [(name, str(value)) for name, value in single.items() if name.lower() not in repeated]
    kept += [(name, str(value)) for name, values in multiple.items() for value in values]
    if not any(name.lower() == "content-type" for name, _ in kept):
        kept.append(("Content-Type", "application/json"))
    return kept
