"""All workers of the cloud: warm ones are used again, idle ones make room, old ones are let go."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from infra.local.errors import WorkerGone
from infra.local.memory import resident_mb
from infra.local.sandbox import FunctionSpec
from infra.local.worker import Surroundings, Worker

_WATCH_S = 0.1


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One worker as others may see it."""

    pid: int
    function: str
    state: str
    rss_mb: float
    request_id: str | None


class Fleet:
    """At most `processes` workers at a time; whoever needs one more waits.

    A call that a caller waits for, who may hold a worker itself, has as many again: a crowd of functions that
    ask another one would else hold all that there are, and wait for one more until their time is up.
    """

    def __init__(self, around: Surroundings, *, processes: int, idle_s: float) -> None:
        self._around = around
        self._processes = processes
        self._idle_s = idle_s
        self._workers: list[Worker] = []
        self._starting = 0
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()

    def take(self, spec: FunctionSpec, *, waited_for: bool = False) -> Worker:
        """A worker of this function for one event: warm if there is one."""
        with self._changed:
            while not self._around.health.stopping.is_set():
                worker = self._warm(spec)
                if worker:
                    worker.state = "busy"
                    return worker
                if self._has_room(waited_for=waited_for):
                    break
                self._changed.wait()
            else:
                raise WorkerGone(f"{spec.name}: the cloud is stopping")
            self._starting += 1
        return self._begin(spec)

    def give_back(self, worker: Worker) -> None:
        """The worker can take another event."""
        with self._changed:
            worker.request_id = None
            worker.idle_since = time.monotonic()
            worker.state = "idle"
            self._changed.notify_all()

    def discard(self, worker: Worker) -> None:
        """The worker is of no more use."""
        worker.kill()
        with self._changed:
            if worker in self._workers:
                self._workers.remove(worker)
            self._changed.notify_all()

    def workers(self) -> Iterator[WorkerView]:
        """Everyone there is now."""
        for worker in tuple(self._workers):
            pid = worker.process.pid
            yield WorkerView(pid, worker.spec.name, worker.state, resident_mb(pid), worker.request_id)

    def kill_busy(self, function: str) -> int | None:
        """Kill one worker in the middle of an event; returns its pid, or None if none was busy."""
        for worker in tuple(self._workers):
            if worker.spec.name == function and worker.state == "busy":
                worker.strike()
                return worker.process.pid
        return None

    def watch(self) -> None:
        """Until the cloud stops: kill busy workers that hold more memory than theirs, and idle old ones.

        The address space cannot be limited instead: onnxruntime reserves far more than it ever touches.
        """
        while not self._around.health.stopping.wait(_WATCH_S if self._busy() else 10 * _WATCH_S):
            for worker in tuple(self._workers):
                if worker.state == "busy" and worker.measure() > worker.spec.memory_mb:
                    worker.out_of_memory = True
                    worker.strike()
            self._let_go()

    def close(self) -> None:
        """Kill everyone."""
        with self._changed:
            workers, self._workers = self._workers, []
            self._changed.notify_all()
        for worker in workers:
            worker.kill()

    def _begin(self, spec: FunctionSpec) -> Worker:
        try:
            worker = Worker(spec, self._around, next(self._numbers))
        finally:
            with self._changed:
                self._starting -= 1
        worker.state = "busy"
        with self._changed:
            self._workers.append(worker)
            late = self._around.health.stopping.is_set()
        if late:
            self.discard(worker)
        return worker

    def _warm(self, spec: FunctionSpec) -> Worker | None:
        idle = [worker for worker in self._workers if worker.spec is spec and worker.state == "idle"]
        return max(idle, key=lambda worker: worker.idle_since, default=None)

    def _has_room(self, *, waited_for: bool) -> bool:
        """Whether one more may start; the worker that has been idle longest makes room."""
        workers = len(self._workers) + self._starting
        if workers < self._processes:
            return True
        idle = [worker for worker in self._workers if worker.state == "idle"]
        oldest = min(idle, key=lambda worker: worker.idle_since, default=None)
        if oldest:
            self._workers.remove(oldest)
            oldest.kill()
        return oldest is not None or (waited_for and workers < 2 * self._processes)

    def _let_go(self) -> None:
        limit = time.monotonic() - self._idle_s
        with self._changed:
            for worker in tuple(self._workers):
                if worker.state == "idle" and worker.idle_since < limit:
                    self._workers.remove(worker)
                    worker.kill()

    def _busy(self) -> bool:
        return any(worker.state == "busy" for worker in self._workers)
