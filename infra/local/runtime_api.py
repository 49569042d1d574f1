"""Lambda's Runtime API for exactly one worker: hands out its events and takes its answers.

One endpoint per worker, because the poll of a worker that was killed stays open for a moment and would
swallow the next worker's event.
"""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass
from typing import cast

from infra.local.health import Health
from infra.local.listening import Handler, Listener

_ROOT = "/2018-06-01/runtime"


@dataclass(frozen=True, slots=True)
class Event:
    """One invocation as the worker gets it; its time runs from the moment it is handed out."""

    request_id: str
    arn: str
    timeout_s: float
    payload: bytes


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker asked for an event: its initialisation is over."""

    at: float


@dataclass(frozen=True, slots=True)
class Response:
    """The handler's answer, or its error if `failed`."""

    request_id: str
    payload: bytes
    failed: bool


@dataclass(frozen=True, slots=True)
class InitFailed:
    """The module could not be imported."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Exited:
    """The process is gone."""

    code: int


Signal = Ready | Response | InitFailed | Exited


class RuntimeApi(Listener):
    """Events go in by `give`; all that the worker does comes out of `signals`, in order."""

    def __init__(self, name: str, health: Health) -> None:
        super().__init__(_Requests, name, health)
        self.signals: queue.SimpleQueue[Signal] = queue.SimpleQueue()
        self.events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self.ready = False
        self.delivered: str | None = None

    @property
    def address(self) -> str:
        """What AWS_LAMBDA_RUNTIME_API says."""
        return f"127.0.0.1:{self.server_port}"

    def give(self, event: Event) -> None:
        """Let the worker have its next event."""
        self.events.put(event)

    def stop(self) -> None:
        """Release the worker's poll and close."""
        self.events.put(None)
        super().stop()


class _Requests(Handler):
    @property
    def _api(self) -> RuntimeApi:
        return cast(RuntimeApi, self.server)

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        if not self._api.ready:
            self._api.ready = True
            self._api.signals.put(Ready(time.monotonic()))
        event = self._api.events.get()
        if event is None:
            self.close_connection = True
            return
        self._api.delivered = event.request_id
        deadline = time.time() + event.timeout_s
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": event.request_id,
            "Lambda-Runtime-Invoked-Function-Arn": event.arn,
            "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(deadline):08x}-{event.request_id[-12:]:0>24};Sampled=0",
        }
        self.answer(200, event.payload, headers)

    def do_POST(self) -> None:  # noqa: N802 - http.server's name
        payload = self.body()
        self.answer(202, b'{"status":"OK"}', {"Content-Type": "application/json"})
        *_, request_id, what = self.path.removeprefix(_ROOT).split("/")
        if request_id == "init":
            self._api.signals.put(InitFailed(payload))
        else:
            self._api.signals.put(Response(request_id, payload, failed=what == "error"))
