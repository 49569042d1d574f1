"""Faults in AWS calls of functions: throttling, errors, hangs, stale reads, killed workers."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterable
from typing import Any

from infra.local.faults.model import FaultInjector, Faults
from infra.local.moto_.server import Application

_WORKER_USER_AGENT = re.compile(r"exec-env/AWS_Lambda.*?\bapp/(\d+)", re.DOTALL)
"""The runtime adds its name to the user agent, and boot.py the pid of the worker."""

_CREDENTIAL_SERVICE = re.compile(r"Credential=[^/]+/[^/]+/[^/]+/([^/]+)/")
_SERVICE_NAMES = {"monitoring": "cloudwatch"}
"""boto3's names of services that sign with another name."""


def worker_pid(user_agent: str) -> int | None:
    """Return the pid of the calling worker; None for any other caller."""
    found = _WORKER_USER_AGENT.search(user_agent)
    return int(found[1]) if found else None


def service_name(authorization: str) -> str:
    """Return the called service, by boto3's name."""
    found = _CREDENTIAL_SERVICE.search(authorization)
    return _SERVICE_NAMES.get(found[1], found[1]) if found else ""


_HANG_S = 8.0
"""Longer than the read timeout of the functions' clients."""

_THROTTLE_ERRORS = {
    "s3": (503, "SlowDown"),
    "dynamodb": (400, "ProvisionedThroughputExceededException"),
    "sns": (400, "Throttling"),
}
_DEFAULT_THROTTLE_ERROR = (400, "ThrottlingException")
_INTERNAL_ERROR = (500, "InternalError")

StartResponse = Callable[..., Any]
Environ = dict[str, Any]


class FaultyApplication:
    """A WSGI application that injects faults into calls of functions and forwards all others."""

    def __init__(self, application: Application, fault_injector: FaultInjector) -> None:
        self._application = application
        self._fault_injector = fault_injector
        self._first_responses: dict[bytes, tuple[str, Any, bytes]] = {}

    def __call__(self, environ: Environ, start: StartResponse) -> Iterable[bytes]:
        faults = self._fault_injector.faults
        worker = worker_pid(environ.get("HTTP_USER_AGENT", ""))
        if faults is None:
            self._first_responses.clear()
        if faults is None or worker is None:
            return self._application(environ, start)
        service = service_name(environ.get("HTTP_AUTHORIZATION", ""))
        return self._respond_with_faults(environ, start, faults, worker, service)

    def _respond_with_faults(
        self, environ: Environ, start: StartResponse, faults: Faults, worker: int, service: str
    ) -> Iterable[bytes]:
        happens = self._fault_injector.inject
        environ = {**environ, "wsgi.input": io.BytesIO(_read_request_body(environ))}
        if faults.poison and faults.poison in environ["PATH_INFO"] and environ["REQUEST_METHOD"] == "GET":
            self._fault_injector.record("poisoned")
            return self._kill_worker(worker)
        if happens(f"{service} throttled", faults.throttles.get(service, 0)):
            return _send_error(start, service, *_THROTTLE_ERRORS.get(service, _DEFAULT_THROTTLE_ERROR))
        if happens(f"{service} failed before", faults.errors.get(service, 0) / 2):
            return _send_error(start, service, *_INTERNAL_ERROR)
        if happens("killed before", faults.kills / 2):
            return self._kill_worker(worker)
        status, headers, body = self._respond(environ, faults, service)
        if happens(f"{service} failed after", faults.errors.get(service, 0) / 2):
            return _send_error(start, service, *_INTERNAL_ERROR)
        if happens("killed after", faults.kills / 2):
            return self._kill_worker(worker)
        if happens(f"{service} silent", faults.hangs.get(service, 0)):
            time.sleep(_HANG_S)
        start(status, headers)
        return [body]

    def _respond(self, environ: Environ, faults: Faults, service: str) -> tuple[str, Any, bytes]:
        """Return moto's response, or for a stale read the first response to the same request."""
        if service != "dynamodb" or not environ.get("HTTP_X_AMZ_TARGET", "").endswith(".GetItem"):
            return self._call_application(environ)
        request_body = environ["wsgi.input"].getvalue()
        rate = faults.stale_reads.get(json.loads(request_body)["TableName"], 0)
        if request_body in self._first_responses and self._fault_injector.inject("stale read", rate):
            return self._first_responses[request_body]
        answer = self._call_application(environ)
        if rate:
            self._first_responses.setdefault(request_body, answer)
        return answer

    def _call_application(self, environ: Environ) -> tuple[str, Any, bytes]:
        response: list[Any] = []
        body = b"".join(self._application(environ, lambda *response_head: response.extend(response_head[:2])))
        return response[0], response[1], body

    def _kill_worker(self, worker: int) -> Iterable[bytes]:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker, signal.SIGKILL)
        raise ConnectionAbortedError(f"worker {worker} was killed")


def _read_request_body(environ: Environ) -> bytes:
    """Read the whole body, also of a failing request: the next one follows on the same connection."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return body


def _send_error(start: StartResponse, service: str, status: int, code: str) -> Iterable[bytes]:
    if service in ("s3", "sns"):
        kind = "text/xml"
        body = f"<Error><Code>{code}</Code><Message>injected fault</Message></Error>"
        body = body if service == "s3" else f"<ErrorResponse>{body}</ErrorResponse>"
    else:
        kind = "application/x-amz-json-1.0"
        body = json.dumps({"__type": code, "message": "injected fault"})
    text = body.encode()
    start(f"{status} {code}", [("Content-Type", kind), ("Content-Length", str(len(text)))])
    return [text]
