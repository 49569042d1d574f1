"""Lambda's Runtime API for exactly one worker: hands out its events and takes its answers.

One endpoint per worker, because the poll of a worker that was killed stays open for a moment and would
swallow the next worker's event.
"""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass
from typing import cast

from infra.local.http_server import HttpServer, RequestHandler
from infra.local.threads import ThreadSupervisor

_RUNTIME_PATH = "/2018-06-01/runtime"


@dataclass(frozen=True, slots=True)
class InvocationEvent:
    """One invocation as the worker gets it; its time runs from the moment it is handed out."""

    request_id: str
    arn: str
    timeout_s: float
    payload: bytes


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """The worker asked for an event: its initialisation is over."""

    at: float


@dataclass(frozen=True, slots=True)
class HandlerResponse:
    """The handler's answer, or its error if `failed`."""

    request_id: str
    payload: bytes
    failed: bool


@dataclass(frozen=True, slots=True)
class InitFailed:
    """The module could not be imported."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class WorkerExit:
    """The process is gone."""

    code: int


WorkerSignal = WorkerReady | HandlerResponse | InitFailed | WorkerExit


class RuntimeApi(HttpServer):
    """Events go in by `give`; all that the worker does comes out of `signals`, in order."""

    def __init__(self, name: str, supervisor: ThreadSupervisor) -> None:
        super().__init__(_RuntimeRequests, name, supervisor)
        self.signals: queue.SimpleQueue[WorkerSignal] = queue.SimpleQueue()
        self.events: queue.SimpleQueue[InvocationEvent | None] = queue.SimpleQueue()
        self.ready = False
        self.delivered_request_id: str | None = None

    @property
    def address(self) -> str:
        """What AWS_LAMBDA_RUNTIME_API says."""
        return f"127.0.0.1:{self.server_port}"

    def send_event(self, event: InvocationEvent) -> None:
        """Let the worker have its next event."""
        self.events.put(event)

    def stop(self) -> None:
        """Release the worker's poll and close."""
        self.events.put(None)
        super().stop()


class _RuntimeRequests(RequestHandler):
    @property
    def _api(self) -> RuntimeApi:
        return cast(RuntimeApi, self.server)

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        if not self._api.ready:
            self._api.ready = True
            self._api.signals.put(WorkerReady(time.monotonic()))
        event = self._api.events.get()
        if event is None:
            self.close_connection = True
            return
        self._api.delivered_request_id = event.request_id
        deadline = time.time() + event.timeout_s
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": event.request_id,
            "Lambda-Runtime-Invoked-Function-Arn": event.arn,
            "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(deadline):08x}-{event.request_id[-12:]:0>24};Sampled=0",
        }
        self.send_answer(200, event.payload, headers)

    def do_POST(self) -> None:  # noqa: N802 - http.server's name
        payload = self.read_body()
        self.send_answer(202, b'{"status":"OK"}', {"Content-Type": "application/json"})
        *_, request_id, outcome = self.path.removeprefix(_RUNTIME_PATH).split("/")
        if request_id == "init":
            self._api.signals.put(InitFailed(payload))
        else:
            self._api.signals.put(HandlerResponse(request_id, payload, failed=outcome == "error"))
