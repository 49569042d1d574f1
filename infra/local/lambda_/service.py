"""Invokes functions by name: concurrency limits, workers, results, log lines and counters."""

from __future__ import annotations

import json
import math
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from infra.local.errors import FunctionNotFound, Throttled, WorkerExited
from infra.local.faults.workers import WorkerFaults
from infra.local.lambda_.logs import FunctionLogs
from infra.local.lambda_.pool import WorkerPool
from infra.local.lambda_.sandbox import FunctionSpec
from infra.local.lambda_.worker import (
    HandlerResponse,
    InitFailed,
    InvocationEvent,
    InvocationOutcome,
    TimedOut,
    Undelivered,
    Worker,
)

PAYLOAD_LIMIT = 6 * 1024 * 1024
"""Bytes of a synchronous request or response."""

ACCOUNT_CONCURRENCY = 1000
"""Concurrent invocations of all functions together."""

_MAX_DURATIONS = 10_000
_MAX_WORKER_ATTEMPTS = 3
"""A warm worker may have exited unnoticed; the event is then given to another one."""


@dataclass(frozen=True, slots=True)
class InvocationCounts:
    """The counters of one function since the cloud started; `durations_s` are the newest durations."""

    invocations: int = 0
    errors: int = 0
    throttles: int = 0
    cold_starts: int = 0
    durations_s: tuple[float, ...] = ()


class InvocationCounters:
    """Counters by function; safe for all threads."""

    def __init__(self) -> None:
        self._counts: defaultdict[str, InvocationCounts] = defaultdict(InvocationCounts)
        self._durations: defaultdict[str, list[float]] = defaultdict(list)
        self._lock = threading.Lock()

    def record_invocation(self, function: str, *, failed: bool, cold_start: bool, duration_s: float) -> None:
        """Count an invocation that ended."""
        with self._lock:
            count = self._counts[function]
            self._counts[function] = replace(
                count,
                invocations=count.invocations + 1,
                errors=count.errors + failed,
                cold_starts=count.cold_starts + cold_start,
            )
            durations = self._durations[function]
            durations.append(duration_s)
            del durations[:-_MAX_DURATIONS]

    def record_throttle(self, function: str) -> None:
        """Count an invocation that was throttled."""
        with self._lock:
            count = self._counts[function]
            self._counts[function] = replace(count, throttles=count.throttles + 1)

    def snapshot(self) -> dict[str, InvocationCounts]:
        """Return all counters."""
        with self._lock:
            return {
                name: replace(count, durations_s=tuple(self._durations[name]))
                for name, count in self._counts.items()
            }


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """The result of one invocation; `error` is Lambda's X-Amz-Function-Error, None on success."""

    request_id: str
    payload: bytes
    error: str | None
    duration_s: float

    @property
    def payload_json(self) -> Any:
        """The parsed payload; None if it is not JSON."""
        try:
            return json.loads(self.payload)
        except ValueError:
            return None


def to_invocation_result(
    event: InvocationEvent, worker: Worker, outcome: InvocationOutcome, duration_s: float
) -> InvocationResult:
    """Return the payload and error that Lambda returns for an outcome."""
    payload, failed = _outcome_payload(event, worker, outcome)
    return InvocationResult(event.request_id, payload, "Unhandled" if failed else None, duration_s)


def report_lines(
    event: InvocationEvent, worker: Worker, outcome: InvocationOutcome, duration_s: float
) -> list[str]:
    """Return the END and REPORT lines; the first invocation of a worker reports its cold start."""
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
    if isinstance(outcome, TimedOut):
        parts.append("Status: timeout")
    elif not isinstance(outcome, HandlerResponse):
        kind = "Runtime.OutOfMemory" if worker.out_of_memory else "Runtime.ExitError"
        parts.append(f"Status: error\tError Type: {kind}")
    return [f"END RequestId: {event.request_id}", "\t".join(parts) + "\t"]


def _outcome_payload(
    event: InvocationEvent, worker: Worker, outcome: InvocationOutcome
) -> tuple[bytes, bool]:
    if isinstance(outcome, HandlerResponse) and len(outcome.payload) > PAYLOAD_LIMIT:
        return _too_large_payload(len(outcome.payload)), True
    if isinstance(outcome, HandlerResponse):
        return outcome.payload, outcome.failed
    if isinstance(outcome, InitFailed):
        return outcome.payload, True
    if isinstance(outcome, TimedOut):
        return _error_payload("Sandbox.Timedout", _timeout_message(event, worker.spec)), True
    code = worker.process.returncode or 0
    exit_description = "signal: killed" if code < 0 else f"exit status {code}"
    text = f"RequestId: {event.request_id} Error: Runtime exited with error: {exit_description}"
    return _error_payload("Runtime.ExitError", text), True


def _timeout_message(event: InvocationEvent, spec: FunctionSpec) -> str:
    return f"RequestId: {event.request_id} Error: Task timed out after {spec.timeout_s:.2f} seconds"


def _too_large_payload(size: int) -> bytes:
    return _error_payload(
        "Function.ResponseSizeTooLarge",
        f"Response payload size ({size} bytes) exceeded maximum allowed payload size ({PAYLOAD_LIMIT}).",
    )


def _error_payload(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


class LambdaService:
    """All functions of the template, with their reserved concurrency and that of the account."""

    def __init__(
        self,
        specs: Iterable[FunctionSpec],
        *,
        pool: WorkerPool,
        logs: FunctionLogs,
        worker_faults: WorkerFaults,
    ) -> None:
        self.counters = InvocationCounters()
        self._specs = {spec.name: spec for spec in specs}
        self._by_logical_id = {spec.logical_id: spec for spec in self}
        self._pool = pool
        self._logs = logs
        self._worker_faults = worker_faults
        self._running_by_name: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[FunctionSpec]:
        return iter(self._specs.values())

    def find(self, name: str) -> FunctionSpec:
        """Find a function by name, ARN or logical id. Raises FunctionNotFound."""
        plain = name.rsplit(":function:", maxsplit=1)[-1].split(":", maxsplit=1)[0]
        spec = self._specs.get(plain) or self._by_logical_id.get(plain)
        if spec is None:
            raise FunctionNotFound(f"Function not found: {name}")
        return spec

    @property
    def running_count(self) -> int:
        """Number of running invocations."""
        return self._running_by_name.total()

    def is_running(self, name: str) -> bool:
        """Whether an invocation of this function runs."""
        return self._running_by_name[name] > 0

    def invoke(
        self, name: str, payload: bytes, request_id: str | None = None, *, caller_waits: bool = False
    ) -> InvocationResult:
        """Run one event to its end. Raises Throttled at the concurrency limit."""
        spec = self.find(name)
        with self._reserve_concurrency(spec):
            return self._run_on_worker(
                spec, payload, request_id or str(uuid.uuid4()), caller_waits=caller_waits
            )

    @contextmanager
    def _reserve_concurrency(self, spec: FunctionSpec) -> Iterator[None]:
        with self._lock:
            full = self._running_by_name.total() >= ACCOUNT_CONCURRENCY
            if full or (
                spec.reserved_concurrency is not None
                and self._running_by_name[spec.name] >= spec.reserved_concurrency
            ):
                self.counters.record_throttle(spec.name)
                raise Throttled("Rate Exceeded.")
            self._running_by_name[spec.name] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running_by_name[spec.name] -= 1

    def _run_on_worker(
        self, spec: FunctionSpec, payload: bytes, request_id: str, *, caller_waits: bool
    ) -> InvocationResult:
        for _ in range(_MAX_WORKER_ATTEMPTS):
            worker = self._pool.acquire(spec, caller_waits=caller_waits)
            event = InvocationEvent(request_id, spec.arn, spec.timeout_s, payload)
            self._worker_faults.inject(worker, request_id)
            outcome = worker.invoke(event)
            if not isinstance(outcome, Undelivered):
                return self._complete(event, worker, outcome)
            self._pool.discard(worker)
        raise WorkerExited(f"{spec.name}: workers exit before they receive an event")

    def _complete(
        self, event: InvocationEvent, worker: Worker, outcome: InvocationOutcome
    ) -> InvocationResult:
        duration_s = time.monotonic() - worker.invoked_at
        result = to_invocation_result(event, worker, outcome, duration_s)
        if not isinstance(outcome, HandlerResponse):
            self._logs.write(worker.spec.name, [result.payload.decode(errors="replace")], event.request_id)
        self._logs.write(worker.spec.name, report_lines(event, worker, outcome, duration_s), event.request_id)
        self.counters.record_invocation(
            worker.spec.name,
            failed=result.error is not None,
            cold_start=worker.invocations == 1,
            duration_s=duration_s,
        )
        if isinstance(outcome, HandlerResponse):
            self._pool.release(worker)
        else:
            self._pool.discard(worker)
        return result
