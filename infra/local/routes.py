"""The swagger body of a REST API → its routes, authorizers and media types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from infra.local.errors import CannotImitate

_KNOWN = {
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
_TTL_S = 300
_ANY = "X-AMAZON-APIGATEWAY-ANY-METHOD"
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


@dataclass(frozen=True, slots=True)
class Authorizer:
    """A Lambda authorizer; `sources` are the request's parts that say who calls, in order."""

    kind: str
    function: str
    sources: tuple[tuple[str, str], ...]
    ttl_s: int
    expression: str | None = None


@dataclass(frozen=True, slots=True)
class Proxy:
    """The route runs a function."""

    function: str
    authorizer: Authorizer | None = None


@dataclass(frozen=True, slots=True)
class Mock:
    """The route answers by itself, with headers alone: how Chalice writes CORS."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one resource path, as in `/things/{name}`."""

    resource: str
    method: str
    action: Proxy | Mock


@dataclass(frozen=True, slots=True)
class Match:
    """A route that a request's path fits, with the path's parameters."""

    route: Route
    parameters: Mapping[str, str]


def routes(body: Mapping[str, Any], where: str) -> list[Route]:
    """All routes of an API; refuses what this gateway does not do."""
    for name in sorted(set(body) - _KNOWN):
        raise CannotImitate(where, f"{name} of an API definition")
    authorizers = dict(_authorizers(body.get("securityDefinitions", {}), where))
    return [
        Route(resource, method.upper(), _action(operation, authorizers, f"{where} {method} {resource}"))
        for resource, operations in body.get("paths", {}).items()
        for method, operation in operations.items()
        if method != "parameters"
    ]


def find(choices: Iterable[Route], method: str, path: str) -> Match | None:
    """The route for a request; a fixed segment wins over a parameter, a parameter over `{proxy+}`.

    A method of its own wins over ANY on the same path.
    """
    fitting = [
        Match(route, parameters)
        for route in choices
        if route.method == method or (route.method == _ANY and method in _METHODS)
        for parameters in [_fit(route.resource, path)]
        if parameters is not None
    ]
    return min(fitting, key=_distance, default=None)


def _distance(match: Match) -> tuple[tuple[int, ...], bool]:
    return _vagueness(match.route.resource), match.route.method == _ANY


def _fit(resource: str, path: str) -> dict[str, str] | None:
    names = re.findall(r"\{(\w+)\+?\}", resource)
    expression = re.sub(r"\\\{\w+\\\+\\\}", "(.+)", re.escape(resource))
    expression = re.sub(r"\\\{\w+\\\}", "([^/]+)", expression)
    match = re.fullmatch(expression, path if path == "/" else path.rstrip("/"))
    return None if match is None else dict(zip(names, map(unquote, match.groups()), strict=True))


def _vagueness(resource: str) -> tuple[int, ...]:
    return tuple(2 if part.endswith("+}") else int(part.startswith("{")) for part in resource.split("/"))


def _action(operation: Mapping[str, Any], authorizers: Mapping[str, Authorizer], where: str) -> Proxy | Mock:
    integration = operation.get("x-amazon-apigateway-integration", {})
    kind = integration.get("type", "").lower()
    if kind == "mock":
        return _mock(integration)
    if kind != "aws_proxy":
        raise CannotImitate(where, f"an integration of type {kind or 'none'}")
    wanted = [name for requirement in operation.get("security", []) for name in requirement]
    unknown = [name for name in wanted if name not in authorizers]
    if unknown:
        raise CannotImitate(where, f"{', '.join(unknown)}: only Lambda authorizers")
    return Proxy(_function(integration["uri"]), authorizers[wanted[0]] if wanted else None)


def _mock(integration: Mapping[str, Any]) -> Mock:
    response = integration.get("responses", {}).get("default", {})
    prefix = "method.response.header."
    headers = {
        name.removeprefix(prefix): value.strip("'")
        for name, value in response.get("responseParameters", {}).items()
        if name.startswith(prefix)
    }
    return Mock(int(response.get("statusCode", 200)), headers)


def _function(uri: str) -> str:
    return uri.split("/functions/")[1].removesuffix("/invocations")


def _authorizers(definitions: Mapping[str, Any], where: str) -> Iterator[tuple[str, Authorizer]]:
    for name, definition in definitions.items():
        written = definition.get("x-amazon-apigateway-authorizer", {})
        kind = written.get("type", "").lower()
        if kind in ("token", "request"):
            yield (
                name,
                Authorizer(
                    kind=kind,
                    function=_function(written["authorizerUri"]),
                    sources=_sources(definition, written, where),
                    ttl_s=int(written.get("authorizerResultTtlInSeconds", _TTL_S)),
                    expression=written.get("identityValidationExpression"),
                ),
            )


def _sources(
    definition: Mapping[str, Any], written: Mapping[str, Any], where: str
) -> tuple[tuple[str, str], ...]:
    """Each source as (header or querystring, its name)."""
    if "identitySource" not in written:
        return (("header", definition.get("name", "Authorization")),)
    parts = [one.strip().split(".") for one in written["identitySource"].split(",")]
    for part in parts:
        if part[:2] != ["method", "request"] or part[2:3] not in (["header"], ["querystring"]):
            raise CannotImitate(where, f"the identity source {'.'.join(part)}")
    return tuple((part[2], part[3]) for part in parts)
