"""The cloud's own threads: started here, and a crash of one is written down, never lost."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType

from infra.local.errors import CloudCrashed

logger = logging.getLogger("vigil.local")


class ThreadSupervisor:
    """Starts threads and remembers how they failed; after `stop` failures are expected and forgotten."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._crashes: list[str] = []

    @property
    def crashes(self) -> tuple[str, ...]:
        """One sentence for each thread that crashed."""
        return tuple(self._crashes)

    def start_thread(self, name: str, work: Callable[[], None]) -> threading.Thread:
        """Run `work` in a thread of its own."""
        thread = threading.Thread(target=self.run_guarded, args=(name, work), name=name, daemon=True)
        thread.start()
        return thread

    def run_guarded(self, name: str, work: Callable[[], None]) -> None:
        """Run `work` here, keeping whatever escapes from it as a fault."""
        with _CrashRecorder(name, self):
            work()

    def raise_crashes(self) -> None:
        """Raise what went wrong so far."""
        if self._crashes:
            raise CloudCrashed("; ".join(self._crashes))

    def record_crash(self, name: str, error: BaseException) -> None:
        """Keep and log one failure."""
        if not self.stopping.is_set():
            self._crashes.append(f"{name}: {type(error).__name__}: {error}")
            logger.error("%s crashed", name, exc_info=error)


class _CrashRecorder:
    def __init__(self, name: str, supervisor: ThreadSupervisor) -> None:
        self._name = name
        self._supervisor = supervisor

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None:
            self._supervisor.record_crash(self._name, error)
        return True


# MERGED: One thread that does things at their time.


class Timer:
    """Each thing runs in the clock's own thread: it must be short, or start a thread itself."""

    def __init__(self, supervisor: ThreadSupervisor) -> None:
        self._supervisor = supervisor
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Do `work` in so many seconds."""
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), callback))
            self._changed.notify()

    def run(self) -> None:
        """Until the cloud stops."""
        while not self._supervisor.stopping.is_set():
            work = self._next_due()
            if work is not None:
                work()

    def stop(self) -> None:
        """Wake the thread so that it sees that the cloud stops."""
        with self._changed:
            self._changed.notify()

    def _next_due(self) -> Callable[[], None] | None:
        with self._changed:
            wait = self._due[0][0] - time.monotonic() if self._due else None
            if wait is None or wait > 0:
                self._changed.wait(wait)
                return None
            return heapq.heappop(self._due)[2]
