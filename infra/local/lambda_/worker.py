"""One worker process of a function: its Runtime API, its output, and its invocations one at a time.

Each worker has a Runtime API of its own, because the poll of a killed worker stays open for a moment and
would receive the next worker's event.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from infra.local.http_server import HttpServer, RequestHandler
from infra.local.lambda_.logs import FunctionLogs
from infra.local.lambda_.sandbox import FunctionSpec, worker_environment
from infra.local.process import ProcessGroup, ThreadSupervisor, kill_process, resident_mb

_RUNTIME_PATH = "/2018-06-01/runtime"

INIT_TIMEOUT_S = 10.0
"""Seconds for loading the module that do not count against the function's timeout, as on Lambda."""

WorkerState = Literal["starting", "idle", "busy", "stopped"]


@dataclass(frozen=True, slots=True)
class InvocationEvent:
    """One invocation for a worker; its timeout begins when the worker receives it."""

    request_id: str
    arn: str
    timeout_s: float
    payload: bytes


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """The worker polled for an event, so its initialisation has ended."""

    at: float


@dataclass(frozen=True, slots=True)
class HandlerResponse:
    """The handler's result, or its error if `failed`."""

    request_id: str
    payload: bytes
    failed: bool


@dataclass(frozen=True, slots=True)
class InitFailed:
    """The module could not be imported."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class WorkerExit:
    """The process exited."""

    code: int


WorkerSignal = WorkerReady | HandlerResponse | InitFailed | WorkerExit


class RuntimeApi(HttpServer):
    """Hands events to one worker; `signals` receives everything that the worker does, in order."""

    def __init__(self, name: str, supervisor: ThreadSupervisor) -> None:
        super().__init__(_RuntimeRequests, name, supervisor)
        self.signals: queue.SimpleQueue[WorkerSignal] = queue.SimpleQueue()
        self.events: queue.SimpleQueue[InvocationEvent | None] = queue.SimpleQueue()
        self.ready = False
        self.delivered_request_id: str | None = None

    @property
    def address(self) -> str:
        """The value of AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self.server_port}"

    def send_event(self, event: InvocationEvent) -> None:
        """Give the worker its next event."""
        self.events.put(event)

    def stop(self) -> None:
        """End the worker's poll and close the server."""
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


class WorkerOutput:
    """The stdout and stderr of a worker as lines.

    Any thread may call `drain`: at the end of an invocation it reads the lines that were written before the
    result, so that no line of a request follows its END.
    """

    def __init__(self, on_lines: Callable[[list[str]], None]) -> None:
        self._on_lines = on_lines
        self._partial_line = b""
        self._lock = threading.Lock()
        self._read_descriptor, self.write_descriptor = os.pipe()
        os.set_blocking(self._read_descriptor, False)
        self._open = True

    def read_until_closed(self) -> None:
        """Read lines until the worker and its children have closed the pipe."""
        while self._open:
            select.select([self._read_descriptor], [], [])
            self.drain()
        os.close(self._read_descriptor)  # only this thread may close it: it is the one that waits on it

    def drain(self) -> None:
        """Read everything that is in the pipe."""
        with self._lock:
            while self._open and self._read_chunk():
                pass

    def _read_chunk(self) -> bool:
        try:
            data = os.read(self._read_descriptor, 65536)
        except BlockingIOError:
            return False
        *lines, self._partial_line = (self._partial_line + data).split(b"\n")
        if not data:
            lines, self._partial_line = [part for part in (*lines, self._partial_line) if part], b""
            self._open = False
        if lines:
            self._on_lines([line.decode(errors="replace").rstrip("\r") for line in lines])
        return self._open


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What all workers of a cloud use."""

    processes: ProcessGroup
    supervisor: ThreadSupervisor
    logs: FunctionLogs
    runtime_folder: Path
    data_folder: Path
    endpoint_variables: Mapping[str, str]
    clock_skew_s: Callable[[], float]
    prepare_function: Callable[[FunctionSpec, Path], FunctionSpec]


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The function exceeded its timeout; the worker was killed."""


@dataclass(frozen=True, slots=True)
class Undelivered:
    """The worker exited before it received the event."""


InvocationOutcome = HandlerResponse | InitFailed | WorkerExit | TimedOut | Undelivered


class Worker:
    """A process that runs AWS's runtime client with one function: Lambda's execution environment.

    With `-S` and `-P` Python has neither site-packages nor the folder of the start script: as on Lambda, a
    function imports from its code, its layers, the runtime and the standard library only.
    """

    def __init__(self, spec: FunctionSpec, context: WorkerContext, number: int) -> None:
        self.spec = spec
        self.state: WorkerState = "starting"
        self.init_s: float | None = None
        self.idle_since = time.monotonic()
        self.invoked_at = time.monotonic()
        self.request_id: str | None = None
        self.peak_mb = 0.0
        self.invocations = 0
        self.out_of_memory = False
        self._context = context
        self._started_at = time.monotonic()
        self._runtime_api = RuntimeApi(f"runtime-{spec.name}-{number}", context.supervisor)
        self._temporary_folder = context.data_folder / "tmp" / f"{spec.name}-{number}"
        self._output = WorkerOutput(self._log)
        self.process = self._start_process(number)
        context.supervisor.start_thread(f"output-{spec.name}-{number}", self._read_output)

    def _start_process(self, number: int) -> subprocess.Popen[bytes]:
        self._temporary_folder.mkdir(parents=True, exist_ok=True)
        variables = worker_environment(
            self._context.prepare_function(self.spec, self._temporary_folder),
            endpoint_variables=self._context.endpoint_variables,
            runtime_folder=self._context.runtime_folder,
            temporary_folder=self._temporary_folder,
            log_stream=f"[$LATEST]{number}",
        )
        self._runtime_api.start()
        process = self._context.processes.start(
            ["awslambdaric", self.spec.handler],
            python=[sys.executable, "-S", "-P"],
            environment={
                **variables,
                "AWS_LAMBDA_RUNTIME_API": self._runtime_api.address,
                "LOCAL_CLOUD_CLOCK_SKEW_S": str(self._context.clock_skew_s()),
            },
            folder=self.spec.code_folder,
            output=self._output.write_descriptor,
        )
        os.close(self._output.write_descriptor)
        return process

    def invoke(self, event: InvocationEvent) -> InvocationOutcome:
        """Give the worker an event and wait for the outcome until the function's timeout."""
        self.request_id = event.request_id
        self.invocations += 1
        deadline = time.monotonic() + self.spec.timeout_s + INIT_TIMEOUT_S
        if self.init_s is not None:
            deadline = self._deliver(event)
        while True:
            received = self._next_signal(deadline)
            if isinstance(received, WorkerReady):
                self.init_s = received.at - self._started_at
                deadline = self._deliver(event)
            elif (
                isinstance(received, WorkerExit)
                and self._runtime_api.delivered_request_id != event.request_id
            ):
                return Undelivered() if self.init_s is not None else received
            elif not isinstance(received, HandlerResponse) or received.request_id == event.request_id:
                return self._complete(received)

    def kill_process(self) -> None:
        """Kill the process; a running `invoke` then returns WorkerExit."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def shut_down(self) -> None:
        """Kill the process with its children, and close its Runtime API."""
        self.state = "stopped"
        kill_process(self.process)
        self._runtime_api.stop()
        shutil.rmtree(self._temporary_folder, ignore_errors=True)

    def measure_memory_mb(self) -> float:
        """Return the resident megabytes and update the peak."""
        now = resident_mb(self.process.pid)
        self.peak_mb = max(self.peak_mb, now)
        return now

    def _next_signal(self, deadline: float) -> WorkerSignal | TimedOut:
        try:
            return self._runtime_api.signals.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return TimedOut()

    def _deliver(self, event: InvocationEvent) -> float:
        """Give the event to the worker; returns the deadline."""
        self._output.drain()
        self.invoked_at = time.monotonic()
        self._log([f"START RequestId: {event.request_id} Version: $LATEST"])
        self._runtime_api.send_event(event)
        return self.invoked_at + self.spec.timeout_s

    def _complete(self, outcome: HandlerResponse | InitFailed | WorkerExit | TimedOut) -> InvocationOutcome:
        self.measure_memory_mb()
        if not isinstance(outcome, HandlerResponse):
            self.shut_down()
        self._output.drain()
        return outcome

    def _read_output(self) -> None:
        self._output.read_until_closed()
        self._runtime_api.signals.put(WorkerExit(self.process.wait()))

    def _log(self, lines: list[str]) -> None:
        self._context.logs.write(self.spec.name, lines, self.request_id)
