"""What a lane's batches come to: metrics in one log line a batch, a tally in one write every few seconds."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cloud.metrics import Gauges
from vigil.errors import Transient
from vigil.flow.process import Verdict
from vigil.steady.counted import Counted
from vigil.steady.dependency import TRANSIENT, dependency
from vigil.steady.expense import batch_usd

TALLY_S = 10.0
"""A container adds to its lane's tally no more often, unless something failed."""

_NOBODYS = {"Busy", "Departed", "Hurried", "LeaseLost", "Overtaken"}
"""Failures that say nothing against a dependency: another worker was first, somebody in the scene is being
erased, or the batch was too long."""


@dataclass
class Counting:
    """One container's counts since they were last told; `tell` keeps them in the lane's tally.

    stale_s  for which, at most, faces may be compared with a gallery that was replaced
    """

    gauges: Gauges
    tell: Callable[[Counted], None]
    age_target: timedelta
    memory_mb: int
    stale_s: float
    _calls: int = 0
    _failures: Counter[str] = field(default_factory=Counter)
    _age_s: float = 0.0
    _releases: set[str] = field(default_factory=set)
    _working_s: float = 0.0
    _told: float = float("-inf")

    def received(self, sent: datetime, now: datetime) -> None:
        """A message came out of the queue."""
        self._age_s = max(self._age_s, (now - sent).total_seconds())

    def answered(self, verdict: Verdict, at: datetime, now: datetime) -> None:
        """A drop reached its end, or had it already; `at` is when it happened."""
        self._calls += 1
        self.gauges.count("Delivered")
        self.gauges.count(verdict.outcome.capitalize())
        if verdict.outcome == "duplicate":
            return
        age = now - at
        self.gauges.count("Settled")
        self.gauges.ms("AgeMs", age / timedelta(milliseconds=1))
        self.gauges.count("Late", int(age > self.age_target))
        self.gauges.count("Sightings", verdict.sightings)
        self.gauges.count("Alerts", verdict.alerts)
        for stage, ms in (verdict.times_ms or {}).items():
            self.gauges.ms(f"{stage}Ms", ms)
        self._releases |= {verdict.release} - {""}

    def compared(self, gallery_age_s: float) -> None:
        """Faces were compared with a gallery that may have been out of date, or was, for so many seconds."""
        self.gauges.count("GalleryLooks")
        self.gauges.count("GalleryStale", int(gallery_age_s > self.stale_s))
        self.gauges.seconds("GalleryAgeS", gallery_age_s)

    def failed(self, kind: type[BaseException], message: str) -> None:
        """A delivery comes back later; whose failure it was. Nobody's is no delivery: nothing was asked."""
        self.gauges.count("LeaseLost", int(kind.__name__ == "LeaseLost"))
        if kind.__name__ in _NOBODYS:
            return
        self._calls += 1
        self.gauges.count("Delivered")
        self.gauges.count("Failed")
        self._failures[dependency(TRANSIENT if issubclass(kind, Transient) else kind.__name__, message)] += 1

    def flush(self, now: datetime, working_s: float) -> None:
        """The batch is done, after so many seconds.

        Raises Transient where the tally cannot be told. What it was of is forgotten: told later, it would
        speak against a dependency that is well again, and the metrics have it.
        """
        self._working_s += working_s
        self.gauges.note("releases", sorted(self._releases))
        self.gauges.usd("CostUsd", batch_usd(working_s, self.memory_mb))
        self.gauges.flush()
        if self._calls and (self._failures or time.monotonic() - self._told >= TALLY_S):
            counted = Counted(now, self._calls, self._working_s, dict(self._failures), self._age_s)
            self._calls, self._failures, self._working_s, self._age_s = 0, Counter(), 0.0, 0.0
            self._told = time.monotonic()
            self.tell(counted)
