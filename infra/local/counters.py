"""How often each function ran, failed, was refused, started cold, and how long it took."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, replace

_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Count:
    """The counters of one function since the cloud started; `durations_s` are the latest ones."""

    invocations: int = 0
    errors: int = 0
    throttles: int = 0
    cold_starts: int = 0
    durations_s: tuple[float, ...] = ()


class Counters:
    """Written by invocations, read by anyone."""

    def __init__(self) -> None:
        self._counts: defaultdict[str, Count] = defaultdict(Count)
        self._durations: defaultdict[str, list[float]] = defaultdict(list)
        self._lock = threading.Lock()

    def invoked(self, function: str, *, failed: bool, cold: bool, duration_s: float) -> None:
        """One invocation came to its end."""
        with self._lock:
            count = self._counts[function]
            self._counts[function] = replace(
                count,
                invocations=count.invocations + 1,
                errors=count.errors + failed,
                cold_starts=count.cold_starts + cold,
            )
            durations = self._durations[function]
            durations.append(duration_s)
            del durations[:-_KEPT]

    def throttled(self, function: str) -> None:
        """One invocation was refused for lack of concurrency."""
        with self._lock:
            count = self._counts[function]
            self._counts[function] = replace(count, throttles=count.throttles + 1)

    def read(self) -> dict[str, Count]:
        """All counters at this moment."""
        with self._lock:
            return {
                name: replace(count, durations_s=tuple(self._durations[name]))
                for name, count in self._counts.items()
            }
