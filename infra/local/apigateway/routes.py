"""The swagger body of a REST API → its routes, authorizers and media types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from infra.local.errors import UnsupportedFeature

_SUPPORTED_KEYS = {
    "swagger",
    "info",
    "schemes",
    "paths",
    "definitions",
    "securityDefinitions",
    "basePath",
    "host",
    "x-amazon-apigateway-binary-media-types",
    "x-amazon-apigateway-gateway-responses",
}
_DEFAULT_TTL_S = 300
_ANY_METHOD = "X-AMAZON-APIGATEWAY-ANY-METHOD"
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


@dataclass(frozen=True, slots=True)
class Authorizer:
    """A Lambda authorizer; `sources` are the request's parts that say who calls, in order."""

    kind: str
    function: str
    identity_sources: tuple[tuple[str, str], ...]
    ttl_s: int
    validation_expression: str | None = None


@dataclass(frozen=True, slots=True)
class ProxyAction:
    """The route runs a function."""

    function: str
    authorizer: Authorizer | None = None


@dataclass(frozen=True, slots=True)
class MockAction:
    """The route answers by itself, with headers alone: how Chalice writes CORS."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one resource path, as in `/things/{name}`."""

    resource: str
    method: str
    action: ProxyAction | MockAction


@dataclass(frozen=True, slots=True)
class RouteMatch:
    """A route that a request's path fits, with the path's parameters."""

    route: Route
    parameters: Mapping[str, str]


def parse_routes(body: Mapping[str, Any], where: str) -> list[Route]:
    """All routes of an API; refuses what this gateway does not do."""
    for name in sorted(set(body) - _SUPPORTED_KEYS):
        raise UnsupportedFeature(where, f"{name} of an API definition")
    authorizers = dict(_parse_authorizers(body.get("securityDefinitions", {}), where))
    return [
        Route(resource, method.upper(), _parse_action(operation, authorizers, f"{where} {method} {resource}"))
        for resource, operations in body.get("paths", {}).items()
        for method, operation in operations.items()
        if method != "parameters"
    ]


def find_route(choices: Iterable[Route], method: str, path: str) -> RouteMatch | None:
    """The route for a request; a fixed segment wins over a parameter, a parameter over `{proxy+}`.

    A method of its own wins over ANY on the same path.
    """
    matches = [
        RouteMatch(route, parameters)
        for route in choices
        if route.method == method or (route.method == _ANY_METHOD and method in _METHODS)
        for parameters in [_match_path(route.resource, path)]
        if parameters is not None
    ]
    return min(matches, key=_rank_match, default=None)


def _rank_match(match: RouteMatch) -> tuple[tuple[int, ...], bool]:
    return _rank_path(match.route.resource), match.route.method == _ANY_METHOD


def _match_path(resource: str, path: str) -> dict[str, str] | None:
    names = re.findall(r"\{(\w+)\+?\}", resource)
    expression = re.sub(r"\\\{\w+\\\+\\\}", "(.+)", re.escape(resource))
    expression = re.sub(r"\\\{\w+\\\}", "([^/]+)", expression)
    match = re.fullmatch(expression, path if path == "/" else path.rstrip("/"))
    return None if match is None else dict(zip(names, map(unquote, match.groups()), strict=True))


def _rank_path(resource: str) -> tuple[int, ...]:
    return tuple(2 if part.endswith("+}") else int(part.startswith("{")) for part in resource.split("/"))


def _parse_action(
    operation: Mapping[str, Any], authorizers: Mapping[str, Authorizer], where: str
) -> ProxyAction | MockAction:
    integration = operation.get("x-amazon-apigateway-integration", {})
    kind = integration.get("type", "").lower()
    if kind == "mock":
        return _parse_mock(integration)
    if kind != "aws_proxy":
        raise UnsupportedFeature(where, f"an integration of type {kind or 'none'}")
    authorizer_names = [name for requirement in operation.get("security", []) for name in requirement]
    unknown = [name for name in authorizer_names if name not in authorizers]
    if unknown:
        raise UnsupportedFeature(where, f"{', '.join(unknown)}: only Lambda authorizers")
    return ProxyAction(
        _function_arn(integration["uri"]), authorizers[authorizer_names[0]] if authorizer_names else None
    )


def _parse_mock(integration: Mapping[str, Any]) -> MockAction:
    response = integration.get("responses", {}).get("default", {})
    prefix = "method.response.header."
    headers = {
        name.removeprefix(prefix): value.strip("'")
        for name, value in response.get("responseParameters", {}).items()
        if name.startswith(prefix)
    }
    return MockAction(int(response.get("statusCode", 200)), headers)


def _function_arn(uri: str) -> str:
    return uri.split("/functions/")[1].removesuffix("/invocations")


def _parse_authorizers(definitions: Mapping[str, Any], where: str) -> Iterator[tuple[str, Authorizer]]:
    for name, definition in definitions.items():
        written = definition.get("x-amazon-apigateway-authorizer", {})
        kind = written.get("type", "").lower()
        if kind in ("token", "request"):
            yield (
                name,
                Authorizer(
                    kind=kind,
                    function=_function_arn(written["authorizerUri"]),
                    identity_sources=_identity_sources(definition, written, where),
                    ttl_s=int(written.get("authorizerResultTtlInSeconds", _DEFAULT_TTL_S)),
                    validation_expression=written.get("identityValidationExpression"),
                ),
            )


def _identity_sources(
    definition: Mapping[str, Any], written: Mapping[str, Any], where: str
) -> tuple[tuple[str, str], ...]:
    """Each source as (header or querystring, its name)."""
    if "identitySource" not in written:
        return (("header", definition.get("name", "Authorization")),)
    parts = [one.strip().split(".") for one in written["identitySource"].split(",")]
    for part in parts:
        if part[:2] != ["method", "request"] or part[2:3] not in (["header"], ["querystring"]):
            raise UnsupportedFeature(where, f"the identity source {'.'.join(part)}")
    return tuple((part[2], part[3]) for part in parts)
