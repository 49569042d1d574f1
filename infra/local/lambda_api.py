"""The Lambda API: invoking functions and turning event source mappings on, off, up and down."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from infra.local import mappings
from infra.local.answers import PAYLOAD_LIMIT
from infra.local.asynchronous import Asynchronous
from infra.local.errors import NoSuchFunction, Throttled
from infra.local.functions import Functions
from infra.local.logs import Logs
from infra.local.mappings import EventSource
from infra.local.sandbox import VERSION, FunctionSpec

ASYNC_PAYLOAD_LIMIT = 1024 * 1024
"""Bytes of an event that nobody waits for."""

_LOG_TAIL = 4096


@dataclass(frozen=True, slots=True)
class Call:
    """One API call."""

    match: re.Match[str]
    body: bytes
    headers: Mapping[str, str]
    query: Mapping[str, list[str]]

    @property
    def function(self) -> str:
        """The function that the path names."""
        return unquote(self.match["function"])


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to a call; `body` is bytes as they are, or a document for JSON."""

    status: int
    body: Any
    headers: Mapping[str, str]


def result(body: Any, status: int = 200, **headers: str) -> Result:
    """An answer; underscores in a header's name stand for hyphens."""
    return Result(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def _error(status: int, code: str, text: str) -> Result:
    return result({"Type": "User", "Message": text, "message": text}, status, x_amzn_ErrorType=code)


class LambdaApi:
    """Answers calls as AWS does; `sources` are the event source mappings by their id."""

    def __init__(
        self, functions: Functions, later: Asynchronous, sources: Mapping[str, EventSource], logs: Logs
    ) -> None:
        self._functions = functions
        self._later = later
        self._sources = sources
        self._logs = logs

    def call(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Result:
        """Answer one API call."""
        address = urlsplit(target)
        for wanted, expression, serve in _CALLS:
            match = re.fullmatch(expression, address.path) if wanted == method else None
            if match:
                return self._serve(serve, Call(match, body, headers, parse_qs(address.query)))
        what = headers.get("X-Amz-Target") or f"{method} {address.path}"
        return _error(501, "UnsupportedOperation", f"the local cloud does not imitate {what}")

    def _serve(self, serve: Callable[[LambdaApi, Call], Result], call: Call) -> Result:
        try:
            return serve(self, call)
        except NoSuchFunction as error:
            return _error(404, "ResourceNotFoundException", str(error))
        except Throttled as error:
            return _error(429, "TooManyRequestsException", str(error))

    def invoke(self, call: Call) -> Result:
        """Invoke: RequestResponse, Event or DryRun."""
        kind = call.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        limit = ASYNC_PAYLOAD_LIMIT if kind == "Event" else PAYLOAD_LIMIT
        spec = self._functions.find(call.function)
        if len(call.body) > limit:
            text = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
            return _error(413, "RequestTooLargeException", text)
        if not _is_json(call.body):
            return _error(400, "InvalidRequestContentException", "Could not parse request body into json")
        if kind == "DryRun":
            return result(b"", 204)
        if kind == "Event":
            return result(b"", 202, x_amzn_RequestId=self._later.start(spec.name, call.body or b"{}"))
        return self._invoke_now(spec, call)

    def _invoke_now(self, spec: FunctionSpec, call: Call) -> Result:
        answer = self._functions.invoke(spec.name, call.body or b"{}", waited_for=True)
        headers = {"X-Amz-Executed-Version": "$LATEST", "x-amzn-RequestId": answer.request_id}
        if answer.error is not None:
            headers["X-Amz-Function-Error"] = answer.error
        if call.headers.get("X-Amz-Log-Type") == "Tail":
            tail = "\n".join(self._logs.of(answer.request_id)).encode()[-_LOG_TAIL:]
            headers["X-Amz-Log-Result"] = base64.b64encode(tail).decode()
        return Result(200, answer.payload, headers)

    def list_functions(self, _call: Call) -> Result:
        """ListFunctions, all on one page."""
        return result({"Functions": [_configuration(spec) for spec in self._functions]})

    def configuration(self, call: Call) -> Result:
        """GetFunctionConfiguration."""
        return result(_configuration(self._functions.find(call.function)))

    def function(self, call: Call) -> Result:
        """GetFunction."""
        spec = self._functions.find(call.function)
        shown: dict[str, Any] = {"Configuration": _configuration(spec), "Code": {"Location": str(spec.code)}}
        if spec.reserved is not None:
            shown["Concurrency"] = {"ReservedConcurrentExecutions": spec.reserved}
        return result(shown)

    def list_mappings(self, call: Call) -> Result:
        """ListEventSourceMappings, by function and source if they are given."""
        source = call.query.get("EventSourceArn", [None])[0]
        name = call.query.get("FunctionName", [None])[0]
        arn = self._functions.find(name).arn if name else None
        found = [
            mappings.describe(one)
            for one in self._sources.values()
            if source in (None, one.source) and arn in (None, one.function)
        ]
        return result({"EventSourceMappings": found})

    def get_mapping(self, call: Call) -> Result:
        """GetEventSourceMapping."""
        source = self._sources.get(call.match["id"])
        return result(mappings.describe(source)) if source else _no_mapping()

    def update_mapping(self, call: Call) -> Result:
        """UpdateEventSourceMapping: Enabled, ScalingConfig and the other settings."""
        source = self._sources.get(call.match["id"])
        if source is None:
            return _no_mapping()
        wanted = json.loads(call.body or b"{}")
        concurrency = wanted.get("ScalingConfig", {}).get("MaximumConcurrency")
        if concurrency is not None and not 2 <= concurrency <= 1000:
            return _error(400, "InvalidParameterValueException", "MaximumConcurrency must be 2 to 1000")
        source.update(enabled=wanted.get("Enabled"), settings=mappings.changed(source.settings, wanted))
        return result(mappings.describe(source), 202)


_FUNCTIONS = "/2015-03-31/functions"
_MAPPINGS = "/2015-03-31/event-source-mappings"
_CALLS: tuple[tuple[str, str, Callable[[LambdaApi, Call], Result]], ...] = (
    ("POST", f"{_FUNCTIONS}/(?P<function>[^/]+)/invocations", LambdaApi.invoke),
    ("GET", f"{_FUNCTIONS}/?", LambdaApi.list_functions),
    ("GET", f"{_FUNCTIONS}/(?P<function>[^/]+)/configuration", LambdaApi.configuration),
    ("GET", f"{_FUNCTIONS}/(?P<function>[^/]+)", LambdaApi.function),
    ("GET", f"{_MAPPINGS}/?", LambdaApi.list_mappings),
    ("GET", f"{_MAPPINGS}/(?P<id>[^/]+)", LambdaApi.get_mapping),
    ("PUT", f"{_MAPPINGS}/(?P<id>[^/]+)", LambdaApi.update_mapping),
)


def _is_json(body: bytes) -> bool:
    with contextlib.suppress(ValueError):
        json.loads(body or b"{}")
        return True
    return False


def _no_mapping() -> Result:
    return _error(404, "ResourceNotFoundException", "The resource you requested does not exist.")


def _configuration(spec: FunctionSpec) -> dict[str, Any]:
    return {
        "FunctionName": spec.name,
        "FunctionArn": spec.arn,
        "Runtime": VERSION,
        "Handler": spec.handler,
        "Timeout": spec.timeout_s,
        "MemorySize": spec.memory_mb,
        "Environment": {"Variables": dict(spec.environment)},
        "Version": "$LATEST",
        "State": "Active",
    }
