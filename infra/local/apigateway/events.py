"""Conversion of HTTP requests to proxy events, and of function results and gateway errors to responses."""

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

from infra.local.apigateway.routes import RouteMatch
from infra.local.cloudformation.names import AwsLocation
from infra.local.lambda_.service import InvocationResult

_IDENTITY_FIELDS = (
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
class HttpRequest:
    """An HTTP request; `path` does not contain the stage."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    source_ip: str

    def header(self, name: str) -> str | None:
        """Return the last value of a header."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return values[-1] if values else None


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An HTTP response."""

    status: int
    body: bytes
    headers: Sequence[tuple[str, str]] = ()
    response_type: str = ""
    """API Gateway's type of a response of its own, such as UNAUTHORIZED."""


@dataclass(frozen=True, slots=True)
class ApiStage:
    """A stage of an API."""

    api: str
    name: str
    binary_types: Sequence[str]
    location: AwsLocation

    def method_arn(self, request: HttpRequest) -> str:
        """Return the ARN that an authorizer's policy allows or denies."""
        path = request.path.lstrip("/")
        return self.location.arn("execute-api", f"{self.api}/{self.name}/{request.method}/{path}")

    def is_binary(self, media_type: str | None) -> bool:
        """Whether a media type is binary."""
        plain = (media_type or "").split(";")[0].strip().lower()
        return any(fnmatch.fnmatchcase(plain, one.lower()) for one in self.binary_types) if plain else False


def to_proxy_event(
    request: HttpRequest, match: RouteMatch, stage: ApiStage, authorizer: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the proxy event of a REST API, version 1.0."""
    binary = bool(request.body) and stage.is_binary(request.header("Content-Type"))
    body = base64.b64encode(request.body).decode() if binary else request.body.decode(errors="replace")
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        headers.setdefault(name, []).append(value)
    headers |= {name: [value] for name, value in _forwarding_headers(request).items()}
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
        "stageVariables": None,
        "requestContext": _request_context(request, match, stage, authorizer),
        "body": body or None,
        "isBase64Encoded": binary,
    }


def _forwarding_headers(request: HttpRequest) -> dict[str, str]:
    """Return the headers that the gateway adds."""
    port = (request.header("Host") or "").rpartition(":")[2]
    return {"X-Forwarded-For": request.source_ip, "X-Forwarded-Proto": "http", "X-Forwarded-Port": port}


def _request_context(
    request: HttpRequest, match: RouteMatch, stage: ApiStage, authorizer: Mapping[str, Any] | None
) -> dict[str, Any]:
    now = time.time()
    context: dict[str, Any] = {
        "accountId": stage.location.account,
        "apiId": stage.api,
        "domainName": request.header("Host"),
        "extendedRequestId": uuid.uuid4().hex[:15] + "=",
        "httpMethod": request.method,
        "identity": {
            **dict.fromkeys(_IDENTITY_FIELDS),
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


def gateway_error(
    status: int, text: str | None, *, key: str = "message", response_type: str = ""
) -> HttpResponse:
    """Return a response of the gateway itself."""
    family = response_type or ("DEFAULT_5XX" if status >= 500 else "DEFAULT_4XX")
    return HttpResponse(
        status, json.dumps({key: text}).encode(), (("Content-Type", "application/json"),), family
    )


def to_http_response(answer: InvocationResult, request: HttpRequest, stage: ApiStage) -> HttpResponse:
    """Return a function's result as a response; anything but a proxy response becomes a 502."""
    document = answer.payload_json
    malformed = gateway_error(502, "Internal server error")
    if answer.error is not None or not isinstance(document, dict):
        return malformed
    status, headers, body = (
        document.get("statusCode", 200),
        _response_headers(document),
        document.get("body") or "",
    )
    if (
        not isinstance(status, (int, str))
        or not str(status).isdigit()
        or headers is None
        or not isinstance(body, str)
    ):
        return malformed
    if not document.get("isBase64Encoded"):
        return HttpResponse(int(status), body.encode(), headers)
    accepted = (request.header("Accept") or "").split(",")[0]
    if not stage.is_binary(accepted):
        return HttpResponse(int(status), body.encode(), headers)
    try:
        return HttpResponse(int(status), base64.b64decode(body, validate=True), headers)
    except binascii.Error:
        return malformed


def _response_headers(document: Mapping[str, Any]) -> list[tuple[str, str]] | None:
    """Return all headers; multi-value headers replace single ones. None if they are malformed."""
    single, multiple = document.get("headers") or {}, document.get("multiValueHeaders") or {}
    if not isinstance(single, dict) or not isinstance(multiple, dict):
        return None
    repeated = {name.lower() for name in multiple}
    merged = [(name, str(value)) for name, value in single.items() if name.lower() not in repeated]
    merged += [(name, str(value)) for name, values in multiple.items() for value in values]
    if not any(name.lower() == "content-type" for name, _ in merged):
        merged.append(("Content-Type", "application/json"))
    return merged


GatewayResponses = Mapping[str, Any]
"""`x-amazon-apigateway-gateway-responses` by response type."""

_HEADER_PREFIX = "gatewayresponse.header."


def apply_gateway_responses(reply: HttpResponse, gateway_responses: GatewayResponses) -> HttpResponse:
    """Return a gateway's own response as the API defines it; other responses are unchanged."""
    family = "DEFAULT_5XX" if reply.status >= 500 else "DEFAULT_4XX"
    definition = (
        gateway_responses.get(reply.response_type, gateway_responses.get(family))
        if reply.response_type
        else None
    )
    if definition is None:
        return reply
    headers = {
        name.removeprefix(_HEADER_PREFIX): text.strip("'")
        for name, text in definition.get("responseParameters", {}).items()
    }
    body = definition.get("responseTemplates", {}).get("application/json")
    status = int(definition.get("statusCode", reply.status))
    merged = dict(reply.headers) | headers
    return HttpResponse(
        status, reply.body if body is None else body.encode(), tuple(merged.items()), reply.response_type
    )
