"""Faults of AWS's services, as the functions meet them: put between their calls and moto."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import time
from collections.abc import Callable, Iterable
from typing import Any

from infra.local import callers
from infra.local.faults import Faults, Trouble
from infra.local.moto_front import Application

_SILENT_S = 8.0
"""Longer than any client of a function waits."""

_REFUSALS = {
    "s3": (503, "SlowDown"),
    "dynamodb": (400, "ProvisionedThroughputExceededException"),
    "sns": (400, "Throttling"),
}
_THROTTLED = (400, "ThrottlingException")
_BROKEN = (500, "InternalError")

Start = Callable[..., Any]
Environ = dict[str, Any]


class Faulty:
    """A WSGI application that answers functions badly while there is trouble, and everybody else well."""

    def __init__(self, behind: Application, trouble: Trouble) -> None:
        self._behind = behind
        self._trouble = trouble
        self._first_answers: dict[bytes, tuple[str, Any, bytes]] = {}

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        faults = self._trouble.faults
        worker = callers.worker(environ.get("HTTP_USER_AGENT", ""))
        if faults is None:
            self._first_answers.clear()
        if faults is None or worker is None:
            return self._behind(environ, start)
        service = callers.service(environ.get("HTTP_AUTHORIZATION", ""))
        return self._answer(environ, start, faults, worker, service)

    def _answer(
        self, environ: Environ, start: Start, faults: Faults, worker: int, service: str
    ) -> Iterable[bytes]:
        happens = self._trouble.happens
        environ = {**environ, "wsgi.input": io.BytesIO(_body(environ))}
        if faults.poison and faults.poison in environ["PATH_INFO"] and environ["REQUEST_METHOD"] == "GET":
            self._trouble.count("poisoned")
            return self._killed(worker)
        if happens(f"{service} throttled", faults.throttles.get(service, 0)):
            return _refused(start, service, *_REFUSALS.get(service, _THROTTLED))
        if happens(f"{service} failed before", faults.errors.get(service, 0) / 2):
            return _refused(start, service, *_BROKEN)
        if happens("killed before", faults.kills / 2):
            return self._killed(worker)
        status, headers, body = self._done(environ, faults, service)
        if happens(f"{service} failed after", faults.errors.get(service, 0) / 2):
            return _refused(start, service, *_BROKEN)
        if happens("killed after", faults.kills / 2):
            return self._killed(worker)
        if happens(f"{service} silent", faults.silences.get(service, 0)):
            time.sleep(_SILENT_S)
        start(status, headers)
        return [body]

    def _done(self, environ: Environ, faults: Faults, service: str) -> tuple[str, Any, bytes]:
        """What moto answers; or, where reads are stale, what it answered the first time."""
        if service != "dynamodb" or not environ.get("HTTP_X_AMZ_TARGET", "").endswith(".GetItem"):
            return self._whole(environ)
        asked = environ["wsgi.input"].getvalue()
        rate = faults.stale.get(json.loads(asked)["TableName"], 0)
        if asked in self._first_answers and self._trouble.happens("stale read", rate):
            return self._first_answers[asked]
        answer = self._whole(environ)
        if rate:
            self._first_answers.setdefault(asked, answer)
        return answer

    def _whole(self, environ: Environ) -> tuple[str, Any, bytes]:
        told: list[Any] = []
        body = b"".join(self._behind(environ, lambda *said: told.extend(said[:2])))
        return told[0], told[1], body

    def _killed(self, worker: int) -> Iterable[bytes]:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker, signal.SIGKILL)
        raise ConnectionAbortedError(f"worker {worker} is no more")


def _body(environ: Environ) -> bytes:
    """All of a request is read, also where it is refused: the next one follows on the same connection."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return body


def _refused(start: Start, service: str, status: int, code: str) -> Iterable[bytes]:
    if service in ("s3", "sns"):
        kind = "text/xml"
        body = f"<Error><Code>{code}</Code><Message>made to fail</Message></Error>"
        body = body if service == "s3" else f"<ErrorResponse>{body}</ErrorResponse>"
    else:
        kind = "application/x-amz-json-1.0"
        body = json.dumps({"__type": code, "message": "made to fail"})
    text = body.encode()
    start(f"{status} {code}", [("Content-Type", kind), ("Content-Length", str(len(text)))])
    return [text]
