"""API Gateway's REST APIs over HTTP at `<url>/<stage>/<path>`, with Lambda authorizers."""

from __future__ import annotations

import fnmatch
import json
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

from infra.local.apigateway.documents import StaticDocument
from infra.local.apigateway.events import (
    ApiStage,
    GatewayResponses,
    HttpRequest,
    HttpResponse,
    apply_gateway_responses,
    gateway_error,
    to_http_response,
    to_proxy_event,
)
from infra.local.apigateway.routes import Authorizer, Route, RouteMatch, find_route
from infra.local.errors import Throttled
from infra.local.http_server import HttpServer, RequestHandler
from infra.local.lambda_.service import PAYLOAD_LIMIT, InvocationResult, LambdaService
from infra.local.process import ThreadSupervisor

BODY_LIMIT = 10 * 1024 * 1024
"""Largest request body in bytes."""

_MAX_CONCURRENCY = 64


@dataclass(frozen=True, slots=True)
class Authorized:
    """The authorizer's context for the function's `requestContext.authorizer`."""

    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _CachedPolicy:
    policy: Mapping[str, Any]
    expires_at: float


class LambdaAuthorizers:
    """Policies are cached by token for the authorizer's TTL, and evaluated for each request."""

    def __init__(self, functions: LambdaService) -> None:
        self._functions = functions
        self._cache: dict[tuple[str, str, str], _CachedPolicy] = {}
        self._lock = threading.Lock()

    def authorize(
        self, authorizer: Authorizer, request: HttpRequest, stage: ApiStage
    ) -> Authorized | HttpResponse:
        """Return the authorizer's context, or the response with which API Gateway refuses the request."""
        token = request.header(authorizer.header)
        if not token:
            return gateway_error(401, "Unauthorized", response_type="UNAUTHORIZED")
        key = (authorizer.function, stage.api, token)
        policy = self._cached_policy(key)
        if policy is None:
            called = self._call_authorizer(authorizer, token, stage.method_arn(request))
            if isinstance(called, HttpResponse):
                return called
            policy = called
            with self._lock:
                self._cache[key] = _CachedPolicy(policy, time.monotonic() + authorizer.ttl_s)
        return _evaluate_policy(policy, stage.method_arn(request))

    def _cached_policy(self, key: tuple[str, str, str]) -> Mapping[str, Any] | None:
        cached = self._cache.get(key)
        return cached.policy if cached and cached.expires_at > time.monotonic() else None

    def _call_authorizer(
        self, authorizer: Authorizer, token: str, method_arn: str
    ) -> Mapping[str, Any] | HttpResponse:
        event = {"type": "TOKEN", "methodArn": method_arn, "authorizationToken": token}
        answer = self._functions.invoke(authorizer.function, json.dumps(event).encode())
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


@dataclass(frozen=True, slots=True)
class RestApi:
    """One stage of an API."""

    stage: ApiStage
    routes: Sequence[Route]
    gateway_responses: GatewayResponses


class ApiGateway(HttpServer):
    """All APIs of the template, distinguished by the name of their stage."""

    def __init__(self, supervisor: ThreadSupervisor, *, port: int = 0, timeout_s: float = 29.0) -> None:
        super().__init__(_GatewayRequests, "gateway", supervisor, port=port)
        self._timeout_s = timeout_s
        self._pool = ThreadPoolExecutor(_MAX_CONCURRENCY, thread_name_prefix="gateway")
        self._apis: Mapping[str, RestApi] = {}
        self.static_documents: Mapping[str, StaticDocument] = {}
        """Documents beside the APIs by path: the issuer's key set, the files of the console."""

    def start_serving(self, apis: Mapping[str, RestApi], functions: LambdaService) -> None:
        """Serve these APIs, by stage name."""
        self._apis = apis
        self._functions = functions
        self._authorizers = LambdaAuthorizers(functions)
        self.start()

    def stop(self) -> None:
        """Accept no more requests."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        super().stop()

    def with_stage(self, target: str) -> str:
        """The path with the stage of the only API, as CloudFront adds it for the console's requests."""
        return f"/{next(iter(self._apis))}{target}" if target.startswith("/v1/") and self._apis else target

    def handle(self, stage: str, request: HttpRequest) -> HttpResponse:
        """Answer one request."""
        api = self._apis.get(stage)
        if api is None:
            return gateway_error(403, "Forbidden")
        return apply_gateway_responses(self._route_request(api, request), api.gateway_responses)

    def _route_request(self, api: RestApi, request: HttpRequest) -> HttpResponse:
        if len(request.body) > BODY_LIMIT:
            return gateway_error(413, "Request Too Long", response_type="REQUEST_TOO_LARGE")
        match = find_route(api.routes, request.method, request.path)
        if match is None:
            return gateway_error(
                403, "Missing Authentication Token", response_type="MISSING_AUTHENTICATION_TOKEN"
            )
        return self._invoke_with_timeout(request, match, api.stage)

    def _invoke_with_timeout(self, request: HttpRequest, match: RouteMatch, stage: ApiStage) -> HttpResponse:
        future = self._pool.submit(self._invoke_proxy, request, match, stage)
        try:
            return future.result(self._timeout_s)
        except TimeoutError:
            return gateway_error(504, "Endpoint request timed out")

    def _invoke_proxy(self, request: HttpRequest, match: RouteMatch, stage: ApiStage) -> HttpResponse:
        authorizer = None
        if match.route.authorizer is not None:
            decision = self._authorizers.authorize(match.route.authorizer, request, stage)
            if isinstance(decision, HttpResponse):
                return decision
            authorizer = decision.context
        payload = json.dumps(to_proxy_event(request, match, stage, authorizer)).encode()
        if len(payload) > PAYLOAD_LIMIT:
            return gateway_error(413, "Request Too Long", response_type="REQUEST_TOO_LARGE")
        answer = self._invoke_function(match.route.function, payload)
        if answer is None:
            return gateway_error(500, "Internal server error")
        return to_http_response(answer, request, stage)

    def _invoke_function(self, function: str, payload: bytes) -> InvocationResult | None:
        """Invoke a function; None if it was throttled."""
        try:
            return self._functions.invoke(function, payload)
        except Throttled:
            return None


class _GatewayRequests(RequestHandler):
    def _handle(self) -> None:
        gateway = cast(ApiGateway, self.server)
        target, _, query = self.path.partition("?")
        if target in gateway.static_documents:
            document = gateway.static_documents[target]
            self.send_answer(200, document.body, document.headers)
            return
        _, stage, *path = [*gateway.with_stage(target).split("/", 2), ""][:3]
        request = HttpRequest(
            method=self.command,
            path="/" + "".join(path),
            query=query,
            headers=tuple(self.headers.items()),
            body=self.read_body(),
            source_ip=str(self.client_address[0]),
        )
        reply = gateway.handle(stage, request)
        self.send_response(reply.status)
        for name, value in reply.headers:
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        self.send_body(reply.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_TRACE = do_QUERY = _handle  # noqa: N815 - http.server's names
