"""A worker's stdout and stderr → lines, each with the request during which it was written."""

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
from typing import Literal

from infra.local.lambda_.logs import FunctionLogs
from infra.local.lambda_.runtime_api import (
    HandlerResponse,
    InitFailed,
    InvocationEvent,
    RuntimeApi,
    WorkerExit,
    WorkerReady,
    WorkerSignal,
)
from infra.local.lambda_.sandbox import FunctionSpec, worker_environment
from infra.local.process import ProcessGroup, kill_process, resident_mb
from infra.local.threads import ThreadSupervisor


class WorkerOutput:
    """The reading end of a worker's pipe.

    `drain` may be called by anyone: whoever finishes an invocation takes what was written before the
    answer, so that no line of a request comes after its END.
    """

    def __init__(self, on_lines: Callable[[list[str]], None]) -> None:
        self._on_lines = on_lines
        self._partial_line = b""
        self._lock = threading.Lock()
        self._read_descriptor, self.write_descriptor = os.pipe()
        os.set_blocking(self._read_descriptor, False)
        self._open = True

    def read_until_closed(self) -> None:
        """Keep lines until the worker and all that it started have closed the pipe."""
        while self._open:
            select.select([self._read_descriptor], [], [])
            self.drain()
        os.close(self._read_descriptor)  # only here: no one else can know that nobody waits for it any more

    def drain(self) -> None:
        """Keep everything that is in the pipe now."""
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


# MERGED: One process that runs one function, one event at a time: Lambda's execution environment.

INIT_TIMEOUT_S = 10.0
"""Lambda gives a module ten seconds to load before it counts against the function's timeout."""

WorkerState = Literal["starting", "idle", "busy", "gone"]


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What all workers of a cloud share."""

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
    """No answer within the function's timeout; the worker was killed."""


@dataclass(frozen=True, slots=True)
class Undelivered:
    """The worker ended before it took the event."""


InvocationOutcome = HandlerResponse | InitFailed | WorkerExit | TimedOut | Undelivered


class Worker:
    """AWS's own runtime client in a process of its own, without this project's packages in sight.

    `-S` keeps site-packages away and `-P` the folder of the start script: what a function can import is
    its task, its layers, the runtime and the standard library, as on Lambda.
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
        """Give the worker an event and wait for what comes of it, for the function's timeout."""
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
        """Kill the process and let whoever waits for it find out."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def shut_down(self) -> None:
        """End the process and everything it started, and its endpoint."""
        self.state = "gone"
        kill_process(self.process)
        self._runtime_api.stop()
        shutil.rmtree(self._temporary_folder, ignore_errors=True)

    def measure_memory_mb(self) -> float:
        """Resident megabytes now, which also counts towards the peak."""
        now = resident_mb(self.process.pid)
        self.peak_mb = max(self.peak_mb, now)
        return now

    def _next_signal(self, deadline: float) -> WorkerSignal | TimedOut:
        try:
            return self._runtime_api.signals.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return TimedOut()

    def _deliver(self, event: InvocationEvent) -> float:
        """Hand the event out; returns when its time is up."""
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
