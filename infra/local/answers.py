"""What became of one invocation → the payload, the error and the log lines that Lambda would give."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from infra.local.runtime_api import Event, InitFailed, Response
from infra.local.sandbox import FunctionSpec
from infra.local.worker import Ending, TimedOut, Worker

PAYLOAD_LIMIT = 6 * 1024 * 1024
"""Bytes of a synchronous request or response."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of one invocation; `error` is Lambda's X-Amz-Function-Error, None when all went well."""

    request_id: str
    payload: bytes
    error: str | None
    duration_s: float

    @property
    def json(self) -> Any:
        """The payload, parsed; None if it is no JSON, as AWS's own pollers treat it."""
        try:
            return json.loads(self.payload)
        except ValueError:
            return None


def answer(event: Event, worker: Worker, ending: Ending, duration_s: float) -> Answer:
    """Shape an ending as Lambda does."""
    payload, failed = _payload(event, worker, ending)
    return Answer(event.request_id, payload, "Unhandled" if failed else None, duration_s)


def report(event: Event, worker: Worker, ending: Ending, duration_s: float) -> list[str]:
    """The last lines of an invocation's log; the cold start appears in the one that paid for it."""
    milliseconds = duration_s * 1000
    parts = [
        f"REPORT RequestId: {event.request_id}",
        f"Duration: {milliseconds:.2f} ms",
        f"Billed Duration: {math.ceil(milliseconds)} ms",
        f"Memory Size: {worker.spec.memory_mb} MB",
        f"Max Memory Used: {math.ceil(worker.peak_mb)} MB",
    ]
    if worker.invocations == 1 and worker.init_s is not None:
        parts.append(f"Init Duration: {worker.init_s * 1000:.2f} ms")
    if isinstance(ending, TimedOut):
        parts.append("Status: timeout")
    elif not isinstance(ending, Response):
        kind = "Runtime.OutOfMemory" if worker.out_of_memory else "Runtime.ExitError"
        parts.append(f"Status: error\tError Type: {kind}")
    return [f"END RequestId: {event.request_id}", "\t".join(parts) + "\t"]


def _payload(event: Event, worker: Worker, ending: Ending) -> tuple[bytes, bool]:
    if isinstance(ending, Response) and len(ending.payload) > PAYLOAD_LIMIT:
        return _too_large(len(ending.payload)), True
    if isinstance(ending, Response):
        return ending.payload, ending.failed
    if isinstance(ending, InitFailed):
        return ending.payload, True
    if isinstance(ending, TimedOut):
        return _error("Sandbox.Timedout", _timed_out(event, worker.spec)), True
    code = worker.process.returncode or 0
    how = "signal: killed" if code < 0 else f"exit status {code}"
    text = f"RequestId: {event.request_id} Error: Runtime exited with error: {how}"
    return _error("Runtime.ExitError", text), True


def _timed_out(event: Event, spec: FunctionSpec) -> str:
    return f"RequestId: {event.request_id} Error: Task timed out after {spec.timeout_s:.2f} seconds"


def _too_large(size: int) -> bytes:
    return _error(
        "Function.ResponseSizeTooLarge",
        f"Response payload size ({size} bytes) exceeded maximum allowed payload size ({PAYLOAD_LIMIT}).",
    )


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()
