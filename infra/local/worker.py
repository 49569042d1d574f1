"""One process that runs one function, one event at a time: Lambda's execution environment."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infra.local.health import Health
from infra.local.logs import Logs
from infra.local.memory import resident_mb
from infra.local.nursery import Nursery, kill
from infra.local.output import Output
from infra.local.runtime_api import Event, Exited, InitFailed, Ready, Response, RuntimeApi, Signal
from infra.local.sandbox import FunctionSpec, environment

INIT_LIMIT_S = 10.0
"""Lambda gives a module ten seconds to load before it counts against the function's timeout."""

State = Literal["starting", "idle", "busy", "gone"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all workers of a cloud share."""

    nursery: Nursery
    health: Health
    logs: Logs
    runtime: Path
    data: Path
    variables: Mapping[str, str]
    skew_s: Callable[[], float]
    equipped: Callable[[FunctionSpec, Path], FunctionSpec]


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No answer within the function's timeout; the worker was killed."""


@dataclass(frozen=True, slots=True)
class Undelivered:
    """The worker ended before it took the event."""


Ending = Response | InitFailed | Exited | TimedOut | Undelivered


class Worker:
    """AWS's own runtime client in a process of its own, without this project's packages in sight.

    `-S` keeps site-packages away and `-P` the folder of the start script: what a function can import is
    its task, its layers, the runtime and the standard library, as on Lambda.
    """

    def __init__(self, spec: FunctionSpec, around: Surroundings, number: int) -> None:
        self.spec = spec
        self.state: State = "starting"
        self.init_s: float | None = None
        self.idle_since = time.monotonic()
        self.began = time.monotonic()
        self.request_id: str | None = None
        self.peak_mb = 0.0
        self.invocations = 0
        self.out_of_memory = False
        self._around = around
        self._started = time.monotonic()
        self._api = RuntimeApi(f"runtime-{spec.name}-{number}", around.health)
        self._temporary = around.data / "tmp" / f"{spec.name}-{number}"
        self._output = Output(self._log)
        self.process = self._start(number)
        around.health.start(f"output-{spec.name}-{number}", self._watch)

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        self._temporary.mkdir(parents=True, exist_ok=True)
        variables = environment(
            self._around.equipped(self.spec, self._temporary),
            cloud=self._around.variables,
            runtime=self._around.runtime,
            temporary=self._temporary,
            stream=f"[$LATEST]{number}",
        )
        self._api.start()
        process = self._around.nursery.start(
            ["awslambdaric", self.spec.handler],
            python=[sys.executable, "-S", "-P"],
            environment={
                **variables,
                "AWS_LAMBDA_RUNTIME_API": self._api.address,
                "LOCAL_CLOUD_SKEW_S": str(self._around.skew_s()),
            },
            folder=self.spec.code,
            output=self._output.writing,
        )
        os.close(self._output.writing)
        return process

    def run(self, event: Event) -> Ending:
        """Give the worker an event and wait for what comes of it, for the function's timeout."""
        self.request_id = event.request_id
        self.invocations += 1
        until = time.monotonic() + self.spec.timeout_s + INIT_LIMIT_S
        if self.init_s is not None:
            until = self._begin(event)
        while True:
            told = self._next(until)
            if isinstance(told, Ready):
                self.init_s = told.at - self._started
                until = self._begin(event)
            elif isinstance(told, Exited) and self._api.delivered != event.request_id:
                return Undelivered() if self.init_s is not None else told
            elif not isinstance(told, Response) or told.request_id == event.request_id:
                return self._ended(told)

    def strike(self) -> None:
        """Kill the process and let whoever waits for it find out."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def kill(self) -> None:
        """End the process and everything it started, and its endpoint."""
        self.state = "gone"
        kill(self.process)
        self._api.stop()
        shutil.rmtree(self._temporary, ignore_errors=True)

    def measure(self) -> float:
        """Resident megabytes now, which also counts towards the peak."""
        now = resident_mb(self.process.pid)
        self.peak_mb = max(self.peak_mb, now)
        return now

    def _next(self, until: float) -> Signal | TimedOut:
        try:
            return self._api.signals.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            return TimedOut()

    def _begin(self, event: Event) -> float:
        """Hand the event out; returns when its time is up."""
        self._output.drain()
        self.began = time.monotonic()
        self._log([f"START RequestId: {event.request_id} Version: $LATEST"])
        self._api.give(event)
        return self.began + self.spec.timeout_s

    def _ended(self, ending: Response | InitFailed | Exited | TimedOut) -> Ending:
        self.measure()
        if not isinstance(ending, Response):
            self.kill()
        self._output.drain()
        return ending

    def _watch(self) -> None:
        self._output.read()
        self._api.signals.put(Exited(self.process.wait()))

    def _log(self, lines: list[str]) -> None:
        self._around.logs.write(self.spec.name, lines, self.request_id)
