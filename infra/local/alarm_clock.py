"""One thread that does things at their time."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable

from infra.local.health import Health


class AlarmClock:
    """Each thing runs in the clock's own thread: it must be short, or start a thread itself."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()

    def after(self, seconds: float, work: Callable[[], None]) -> None:
        """Do `work` in so many seconds."""
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), work))
            self._changed.notify()

    def run(self) -> None:
        """Until the cloud stops."""
        while not self._health.stopping.is_set():
            work = self._next()
            if work is not None:
                work()

    def stop(self) -> None:
        """Wake the thread so that it sees that the cloud stops."""
        with self._changed:
            self._changed.notify()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            wait = self._due[0][0] - time.monotonic() if self._due else None
            if wait is None or wait > 0:
                self._changed.wait(wait)
                return None
            return heapq.heappop(self._due)[2]
