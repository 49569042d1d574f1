"""API Gateway's REST APIs over HTTP on this machine: `<url>/<stage>/<path>`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

from infra.local import proxy_events
from infra.local.answers import PAYLOAD_LIMIT, Answer
from infra.local.authorizers import Authorizers
from infra.local.errors import Throttled
from infra.local.functions import Functions
from infra.local.gateway_responses import Own, worded
from infra.local.health import Health
from infra.local.listening import Handler, Listener
from infra.local.proxy_events import Reply, Request, Stage, message
from infra.local.routes import Match, Proxy, Route, find

BODY_LIMIT = 10 * 1024 * 1024
"""Bytes of a request's body."""

_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Api:
    """One stage of one API."""

    stage: Stage
    routes: Sequence[Route]
    own: Own


class Gateway(Listener):
    """All APIs of the template at one address, told apart by their stage's name."""

    def __init__(self, health: Health, *, limit_s: float) -> None:
        super().__init__(_Requests, "gateway", health)
        self._limit_s = limit_s
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="gateway")
        self._apis: Mapping[str, Api] = {}
        self.documents: Mapping[str, bytes] = {}
        """What lies beside the APIs, by path: the issuer's keys."""

    def open(self, apis: Mapping[str, Api], functions: Functions) -> None:
        """Serve these APIs, by stage name, from now on."""
        self._apis = apis
        self._functions = functions
        self._authorizers = Authorizers(functions)
        self.start()

    def stop(self) -> None:
        """Accept no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        super().stop()

    def handle(self, stage: str, request: Request) -> Reply:
        """Answer one request, as API Gateway would."""
        api = self._apis.get(stage)
        if api is None:
            return message(403, "Forbidden")
        return worded(self._handled(api, request), api.own)

    def _handled(self, api: Api, request: Request) -> Reply:
        if len(request.body) > BODY_LIMIT:
            return message(413, "Request Too Long", kind="REQUEST_TOO_LARGE")
        match = find(api.routes, request.method, request.path)
        if match is None:
            return message(403, "Missing Authentication Token", kind="MISSING_AUTHENTICATION_TOKEN")
        if not isinstance(match.route.action, Proxy):
            return Reply(match.route.action.status, b"", tuple(match.route.action.headers.items()))
        return self._in_time(match.route.action, request, match, api.stage)

    def _in_time(self, action: Proxy, request: Request, match: Match, stage: Stage) -> Reply:
        working = self._pool.submit(self._proxy, action, request, match, stage)
        try:
            return working.result(self._limit_s)
        except TimeoutError:
            return message(504, "Endpoint request timed out")

    def _proxy(self, action: Proxy, request: Request, match: Match, stage: Stage) -> Reply:
        authorizer = None
        if action.authorizer is not None:
            decision = self._authorizers.decide(action.authorizer, request, match, stage)
            if isinstance(decision, Reply):
                return decision
            authorizer = decision.context
        payload = json.dumps(proxy_events.event(request, match, stage, authorizer)).encode()
        if len(payload) > PAYLOAD_LIMIT:
            return message(413, "Request Too Long", kind="REQUEST_TOO_LARGE")
        answer = self._invoke(action.function, payload)
        if answer is None:
            return message(500, "Internal server error")
        return proxy_events.reply(answer, request, stage)

    def _invoke(self, function: str, payload: bytes) -> Answer | None:
        """None when the function was throttled."""
        try:
            return self._functions.invoke(function, payload)
        except Throttled:
            return None


class _Requests(Handler):
    def _handle(self) -> None:
        gateway = cast(Gateway, self.server)
        target, _, query = self.path.partition("?")
        if target in gateway.documents:
            self.answer(200, gateway.documents[target], {"Content-Type": "application/json"})
            return
        _, stage, *rest = [*target.split("/", 2), ""][:3]
        request = Request(
            method=self.command,
            path="/" + "".join(rest),
            query=query,
            headers=tuple(self.headers.items()),
            body=self.body(),
            source_ip=str(self.client_address[0]),
        )
        reply = gateway.handle(stage, request)
        self.send_response(reply.status)
        for name, value in reply.headers:
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        self.finish_with(reply.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_TRACE = do_QUERY = _handle  # noqa: N815 - http.server's names
