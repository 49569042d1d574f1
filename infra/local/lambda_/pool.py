"""The worker processes of all functions: reuse, eviction of idle workers, memory limits."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from infra.local.errors import WorkerExited
from infra.local.lambda_.sandbox import FunctionSpec
from infra.local.lambda_.worker import Worker, WorkerContext
from infra.local.process import resident_mb

_CHECK_INTERVAL_S = 0.1


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """Description of one worker."""

    pid: int
    function: str
    state: str
    rss_mb: float
    request_id: str | None


class WorkerPool:
    """At most `max_workers` workers; an invocation that needs another one waits.

    Synchronous invocations through the API may use twice as many: functions that invoke another function
    would otherwise hold all workers and wait for one more until their timeout.
    """

    def __init__(self, context: WorkerContext, *, max_workers: int, max_idle_s: float) -> None:
        self._context = context
        self._max_workers = max_workers
        self._max_idle_s = max_idle_s
        self._workers: list[Worker] = []
        self._starting = 0
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()

    def acquire(self, spec: FunctionSpec, *, caller_waits: bool = False) -> Worker:
        """Return a worker for one event: an idle one, or a new one."""
        with self._changed:
            while not self._context.supervisor.stopping.is_set():
                worker = self._find_idle(spec)
                if worker:
                    worker.state = "busy"
                    return worker
                if self._can_start(caller_waits=caller_waits):
                    break
                self._changed.wait()
            else:
                raise WorkerExited(f"{spec.name}: the cloud is stopping")
            self._starting += 1
        return self._start_worker(spec)

    def release(self, worker: Worker) -> None:
        """Return a worker that can take another event."""
        with self._changed:
            worker.request_id = None
            worker.idle_since = time.monotonic()
            worker.state = "idle"
            self._changed.notify_all()

    def discard(self, worker: Worker) -> None:
        """Stop a worker and remove it."""
        worker.shut_down()
        with self._changed:
            if worker in self._workers:
                self._workers.remove(worker)
            self._changed.notify_all()

    def workers(self) -> Iterator[WorkerInfo]:
        """Yield all workers."""
        for worker in tuple(self._workers):
            pid = worker.process.pid
            yield WorkerInfo(pid, worker.spec.name, worker.state, resident_mb(pid), worker.request_id)

    def kill_busy_worker(self, function: str) -> int | None:
        """Kill one busy worker; returns its pid, or None if none was busy."""
        for worker in tuple(self._workers):
            if worker.spec.name == function and worker.state == "busy":
                worker.kill_process()
                return worker.process.pid
        return None

    def enforce_limits(self) -> None:
        """Until the cloud stops, kill workers that exceed their memory, and stop those idle for too long.

        A limit on the address space would not work: onnxruntime reserves far more memory than it uses.
        """
        while not self._context.supervisor.stopping.wait(
            _CHECK_INTERVAL_S if self._has_busy() else 10 * _CHECK_INTERVAL_S
        ):
            for worker in tuple(self._workers):
                if worker.state == "busy" and worker.measure_memory_mb() > worker.spec.memory_mb:
                    worker.out_of_memory = True
                    worker.kill_process()
            self._stop_idle()

    def shut_down(self) -> None:
        """Stop all workers."""
        with self._changed:
            workers, self._workers = self._workers, []
            self._changed.notify_all()
        for worker in workers:
            worker.shut_down()

    def _start_worker(self, spec: FunctionSpec) -> Worker:
        try:
            worker = Worker(spec, self._context, next(self._numbers))
        finally:
            with self._changed:
                self._starting -= 1
        worker.state = "busy"
        with self._changed:
            self._workers.append(worker)
            stopping = self._context.supervisor.stopping.is_set()
        if stopping:
            self.discard(worker)
        return worker

    def _find_idle(self, spec: FunctionSpec) -> Worker | None:
        self._remove_dead()
        idle = [worker for worker in self._workers if worker.spec is spec and worker.state == "idle"]
        return max(idle, key=lambda worker: worker.idle_since, default=None)

    def _remove_dead(self) -> None:
        """A process that was killed while it was idle receives no event."""
        for worker in tuple(self._workers):
            if worker.state == "idle" and worker.process.returncode is not None:
                self._workers.remove(worker)
                worker.shut_down()

    def _can_start(self, *, caller_waits: bool) -> bool:
        """Whether another worker may start; the one that has been idle longest is stopped for it."""
        workers = len(self._workers) + self._starting
        if workers < self._max_workers:
            return True
        idle = [worker for worker in self._workers if worker.state == "idle"]
        oldest = min(idle, key=lambda worker: worker.idle_since, default=None)
        if oldest:
            self._workers.remove(oldest)
            oldest.shut_down()
        return oldest is not None or (caller_waits and workers < 2 * self._max_workers)

    def _stop_idle(self) -> None:
        limit = time.monotonic() - self._max_idle_s
        with self._changed:
            for worker in tuple(self._workers):
                if worker.state == "idle" and worker.idle_since < limit:
                    self._workers.remove(worker)
                    worker.shut_down()

    def _has_busy(self) -> bool:
        return any(worker.state == "busy" for worker in self._workers)
