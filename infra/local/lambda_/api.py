"""The Lambda API: invoking functions, reading and updating event source mappings."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from infra.local.errors import FunctionNotFound, Throttled
from infra.local.event_sources.async_invoke import AsyncInvoker
from infra.local.event_sources.mapping import EventSourceMapping, describe_mapping, updated_settings
from infra.local.lambda_.sandbox import FunctionSpec
from infra.local.lambda_.service import PAYLOAD_LIMIT, LambdaService

ASYNC_PAYLOAD_LIMIT = 1024 * 1024
"""Bytes of an asynchronous event."""


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One API call."""

    match: re.Match[str]
    body: bytes
    headers: Mapping[str, str]
    query: Mapping[str, list[str]]

    @property
    def function(self) -> str:
        """The function in the path."""
        return unquote(self.match["function"])


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """The response to a call; `body` is bytes, or a document that is sent as JSON."""

    status: int
    body: Any
    headers: Mapping[str, str]


def api_response(body: Any, status: int = 200, **headers: str) -> ApiResponse:
    """Return a response; underscores in header names stand for hyphens."""
    return ApiResponse(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def _error_response(status: int, code: str, text: str) -> ApiResponse:
    return api_response({"Type": "User", "Message": text, "message": text}, status, x_amzn_ErrorType=code)


class LambdaApi:
    """Implements the operations in _OPERATIONS; `sources` are the event source mappings by id."""

    def __init__(
        self,
        functions: LambdaService,
        async_invoker: AsyncInvoker,
        sources: Mapping[str, EventSourceMapping],
    ) -> None:
        self._functions = functions
        self._async_invoker = async_invoker
        self._sources = sources

    def handle(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> ApiResponse:
        """Answer one API call."""
        url = urlsplit(target)
        for allowed_method, expression, serve in _OPERATIONS:
            match = re.fullmatch(expression, url.path) if allowed_method == method else None
            if match:
                return self._call_operation(serve, ApiCall(match, body, headers, parse_qs(url.query)))
        operation = headers.get("X-Amz-Target") or f"{method} {url.path}"
        return _error_response(501, "UnsupportedOperation", f"the local cloud does not support {operation}")

    def _call_operation(
        self, operation: Callable[[LambdaApi, ApiCall], ApiResponse], call: ApiCall
    ) -> ApiResponse:
        try:
            return operation(self, call)
        except FunctionNotFound as error:
            return _error_response(404, "ResourceNotFoundException", str(error))
        except Throttled as error:
            return _error_response(429, "TooManyRequestsException", str(error))

    def invoke(self, call: ApiCall) -> ApiResponse:
        """Invoke, with type RequestResponse or Event."""
        kind = call.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        limit = ASYNC_PAYLOAD_LIMIT if kind == "Event" else PAYLOAD_LIMIT
        spec = self._functions.find(call.function)
        if len(call.body) > limit:
            text = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
            return _error_response(413, "RequestTooLargeException", text)
        if not _is_json(call.body):
            return _error_response(
                400, "InvalidRequestContentException", "Could not parse request body into json"
            )
        if kind == "Event":
            return api_response(
                b"", 202, x_amzn_RequestId=self._async_invoker.enqueue(spec.name, call.body or b"{}")
            )
        return self._invoke_sync(spec, call)

    def _invoke_sync(self, spec: FunctionSpec, call: ApiCall) -> ApiResponse:
        answer = self._functions.invoke(spec.name, call.body or b"{}", caller_waits=True)
        headers = {"X-Amz-Executed-Version": "$LATEST", "x-amzn-RequestId": answer.request_id}
        if answer.error is not None:
            headers["X-Amz-Function-Error"] = answer.error
        return ApiResponse(200, answer.payload, headers)

    def list_mappings(self, call: ApiCall) -> ApiResponse:
        """ListEventSourceMappings, filtered by function and source."""
        source = call.query.get("EventSourceArn", [None])[0]
        name = call.query.get("FunctionName", [None])[0]
        arn = self._functions.find(name).arn if name else None
        found = [
            describe_mapping(one)
            for one in self._sources.values()
            if source in (None, one.source) and arn in (None, one.function)
        ]
        return api_response({"EventSourceMappings": found})

    def update_mapping(self, call: ApiCall) -> ApiResponse:
        """UpdateEventSourceMapping: Enabled, ScalingConfig and the other settings."""
        source = self._sources.get(call.match["id"])
        if source is None:
            return _error_response(
                404, "ResourceNotFoundException", "The resource you requested does not exist."
            )
        changes = json.loads(call.body or b"{}")
        concurrency = changes.get("ScalingConfig", {}).get("MaximumConcurrency")
        if concurrency is not None and not 2 <= concurrency <= 1000:
            return _error_response(
                400, "InvalidParameterValueException", "MaximumConcurrency must be 2 to 1000"
            )
        source.update(enabled=changes.get("Enabled"), settings=updated_settings(source.settings, changes))
        return api_response(describe_mapping(source), 202)


_FUNCTIONS_PATH = "/2015-03-31/functions"
_MAPPINGS_PATH = "/2015-03-31/event-source-mappings"
_OPERATIONS: tuple[tuple[str, str, Callable[[LambdaApi, ApiCall], ApiResponse]], ...] = (
    ("POST", f"{_FUNCTIONS_PATH}/(?P<function>[^/]+)/invocations", LambdaApi.invoke),
    ("GET", f"{_MAPPINGS_PATH}/?", LambdaApi.list_mappings),
    ("PUT", f"{_MAPPINGS_PATH}/(?P<id>[^/]+)", LambdaApi.update_mapping),
)


def _is_json(body: bytes) -> bool:
    with contextlib.suppress(ValueError):
        json.loads(body or b"{}")
        return True
    return False
