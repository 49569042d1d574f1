"""API Gateway's REST APIs over HTTP on this machine: `<url>/<stage>/<path>`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

from infra.local.apigateway.authorizer import LambdaAuthorizers
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
from infra.local.apigateway.routes import (
    ProxyAction,
    Route,
    RouteMatch,
    find_route,
)
from infra.local.errors import Throttled
from infra.local.http_server import HttpServer, RequestHandler
from infra.local.lambda_.service import PAYLOAD_LIMIT, InvocationResult, LambdaService
from infra.local.threads import ThreadSupervisor

BODY_LIMIT = 10 * 1024 * 1024
"""Bytes of a request's body."""

_MAX_CONCURRENCY = 64


@dataclass(frozen=True, slots=True)
class RestApi:
    """One stage of one API."""

    stage: ApiStage
    routes: Sequence[Route]
    gateway_responses: GatewayResponses


class ApiGateway(HttpServer):
    """All APIs of the template at one address, told apart by their stage's name."""

    def __init__(self, supervisor: ThreadSupervisor, *, timeout_s: float) -> None:
        super().__init__(_GatewayRequests, "gateway", supervisor)
        self._timeout_s = timeout_s
        self._pool = ThreadPoolExecutor(_MAX_CONCURRENCY, thread_name_prefix="gateway")
        self._apis: Mapping[str, RestApi] = {}
        self.static_documents: Mapping[str, bytes] = {}
        """What lies beside the APIs, by path: the issuer's keys."""

    def start_serving(self, apis: Mapping[str, RestApi], functions: LambdaService) -> None:
        """Serve these APIs, by stage name, from now on."""
        self._apis = apis
        self._functions = functions
        self._authorizers = LambdaAuthorizers(functions)
        self.start()

    def stop(self) -> None:
        """Accept no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        super().stop()

    def handle(self, stage: str, request: HttpRequest) -> HttpResponse:
        """Answer one request, as API Gateway would."""
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
        if not isinstance(match.route.action, ProxyAction):
            return HttpResponse(match.route.action.status, b"", tuple(match.route.action.headers.items()))
        return self._invoke_with_timeout(match.route.action, request, match, api.stage)

    def _invoke_with_timeout(
        self, action: ProxyAction, request: HttpRequest, match: RouteMatch, stage: ApiStage
    ) -> HttpResponse:
        future = self._pool.submit(self._invoke_proxy, action, request, match, stage)
        try:
            return future.result(self._timeout_s)
        except TimeoutError:
            return gateway_error(504, "Endpoint request timed out")

    def _invoke_proxy(
        self, action: ProxyAction, request: HttpRequest, match: RouteMatch, stage: ApiStage
    ) -> HttpResponse:
        authorizer = None
        if action.authorizer is not None:
            decision = self._authorizers.authorize(action.authorizer, request, match, stage)
            if isinstance(decision, HttpResponse):
                return decision
            authorizer = decision.context
        payload = json.dumps(to_proxy_event(request, match, stage, authorizer)).encode()
        if len(payload) > PAYLOAD_LIMIT:
            return gateway_error(413, "Request Too Long", response_type="REQUEST_TOO_LARGE")
        answer = self._invoke_function(action.function, payload)
        if answer is None:
            return gateway_error(500, "Internal server error")
        return to_http_response(answer, request, stage)

    def _invoke_function(self, function: str, payload: bytes) -> InvocationResult | None:
        """None when the function was throttled."""
        try:
            return self._functions.invoke(function, payload)
        except Throttled:
            return None


class _GatewayRequests(RequestHandler):
    def _handle(self) -> None:
        gateway = cast(ApiGateway, self.server)
        target, _, query = self.path.partition("?")
        if target in gateway.static_documents:
            self.send_answer(200, gateway.static_documents[target], {"Content-Type": "application/json"})
            return
        _, stage, *path = [*target.split("/", 2), ""][:3]
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
