"""Reads the routes and authorizers of an API definition, and finds the route of a request."""

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
    """A TOKEN authorizer: a function that reads one header and returns a policy valid for `ttl_s`."""

    function: str
    header: str
    ttl_s: int


@dataclass(frozen=True, slots=True)
class Route:
    """One method of a resource path such as `/things/{name}`, and the function that it invokes."""

    resource: str
    method: str
    function: str
    authorizer: Authorizer | None = None


@dataclass(frozen=True, slots=True)
class RouteMatch:
    """The route of a request, with its path parameters."""

    route: Route
    parameters: Mapping[str, str]


def parse_routes(body: Mapping[str, Any], where: str) -> list[Route]:
    """Return all routes of an API. Raises UnsupportedFeature."""
    for name in sorted(set(body) - _SUPPORTED_KEYS):
        raise UnsupportedFeature(where, f"{name} of an API definition")
    authorizers = dict(_parse_authorizers(body.get("securityDefinitions", {}), where))
    return [
        _parse_route(resource, method, operation, authorizers, where)
        for resource, operations in body.get("paths", {}).items()
        for method, operation in operations.items()
        if method != "parameters"
    ]


def find_route(choices: Iterable[Route], method: str, path: str) -> RouteMatch | None:
    """Return the route of a request.

    A fixed path segment is preferred to a parameter, a parameter to `{proxy+}`, and for one path the method
    itself to ANY.
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


def _parse_route(
    resource: str,
    method: str,
    operation: Mapping[str, Any],
    authorizers: Mapping[str, Authorizer],
    where: str,
) -> Route:
    where = f"{where} {method} {resource}"
    integration = operation.get("x-amazon-apigateway-integration", {})
    kind = integration.get("type", "none").lower()
    if kind != "aws_proxy":
        feature = f"x-amazon-apigateway-integration of type {kind}: only aws_proxy"
        raise UnsupportedFeature(where, feature)
    authorizer_names = [name for requirement in operation.get("security", []) for name in requirement]
    unknown = [name for name in authorizer_names if name not in authorizers]
    if unknown:
        raise UnsupportedFeature(where, f"{', '.join(unknown)}: only Lambda authorizers")
    authorizer = authorizers[authorizer_names[0]] if authorizer_names else None
    return Route(resource, method.upper(), _function_arn(integration["uri"]), authorizer)


def _function_arn(uri: str) -> str:
    return uri.split("/functions/")[1].removesuffix("/invocations")


def _parse_authorizers(definitions: Mapping[str, Any], where: str) -> Iterator[tuple[str, Authorizer]]:
    for name, definition in definitions.items():
        written = definition.get("x-amazon-apigateway-authorizer", {})
        kind = written.get("type", "none").lower()
        if kind != "token":
            raise UnsupportedFeature(f"{where} {name}", f"an authorizer of type {kind}: only token")
        for unsupported in ("identitySource", "identityValidationExpression"):
            if unsupported in written:
                raise UnsupportedFeature(f"{where} {name}", f"{unsupported} of an authorizer")
        yield (
            name,
            Authorizer(
                function=_function_arn(written["authorizerUri"]),
                header=definition.get("name", "Authorization"),
                ttl_s=int(written.get("authorizerResultTtlInSeconds", _DEFAULT_TTL_S)),
            ),
        )
