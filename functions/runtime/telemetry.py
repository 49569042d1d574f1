"""What Lambda takes for a batch: an estimate by list prices, for people who watch what a drop costs."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cloud.cloudwatch import EmfMetrics, ReleaseMetrics
from vigil.alerts.evaluate import CANARY_SOURCE
from vigil.drops.ledger import LeaseLost
from vigil.drops.messages import Drop
from vigil.drops.process import DropResult
from vigil.errors import failed_dependency
from vigil.inference.types import Prediction
from vigil.releases.drift import OutputSketch, sketch_of
from vigil.releases.health import (
    HealthCounts,
    HealthSample,
    is_slow,
    unrecognised_increase,
)
from vigil.releases.lifecycle import ReleasePointers
from vigil.reliability.lane_counts import LaneCounts

GB_SECOND_USD, REQUEST_USD = 0.0000166667, 0.0000002
"""Of Lambda on x86 in most regions, without discounts: set yours."""


def invocation_cost_usd(seconds: float, memory_mb: int) -> float:
    """One invocation of so many seconds by a function of so much memory."""
    return seconds * memory_mb / 1024 * GB_SECOND_USD + REQUEST_USD


# MERGED: What a lane's batches come to: metrics in one log line a batch, a tally in one write every few
#   seconds.

LANE_COUNTS_INTERVAL_S = 10.0
"""A container adds to its lane's tally no more often, unless something failed."""


@dataclass
class LaneTelemetry:
    """One container's counts since they were last told; `tell` keeps them in the lane's tally.

    stale_s  for which, at most, faces may be compared with a gallery that was replaced
    """

    metrics: EmfMetrics
    save_counts: Callable[[LaneCounts], None]
    age_target: timedelta
    memory_mb: int
    stale_s: float
    _calls: int = 0
    _failures_by_dependency: Counter[str] = field(default_factory=Counter)
    _age_s: float = 0.0
    _releases: set[str] = field(default_factory=set)
    _working_s: float = 0.0
    _last_saved_s: float = float("-inf")

    def record_received(self, sent_at: datetime, now: datetime) -> None:
        """A message came out of the queue."""
        self._age_s = max(self._age_s, (now - sent_at).total_seconds())

    def record_result(self, result: DropResult, occurred_at: datetime, now: datetime) -> None:
        """A drop reached its end, or had it already; `at` is when it happened."""
        self._calls += 1
        self.metrics.count("Delivered")
        self.metrics.count(result.outcome.capitalize())
        if result.outcome == "duplicate":
            return
        age = now - occurred_at
        self.metrics.count("Completed")
        self.metrics.ms("AgeMs", age / timedelta(milliseconds=1))
        self.metrics.count("LiveAgeExceeded", int(age > self.age_target))
        self.metrics.count("Sightings", result.sightings)
        self.metrics.count("Alerts", result.alerts)
        for stage, ms in (result.times_ms or {}).items():
            self.metrics.ms(f"{stage}Ms", ms)
        self._releases |= {result.release} - {""}

    def record_gallery_age(self, gallery_age_s: float) -> None:
        """Faces were compared with a gallery that may have been out of date, or was, for so many seconds."""
        self.metrics.count("GalleryReads")
        self.metrics.count("GalleryStale", int(gallery_age_s > self.stale_s))
        self.metrics.seconds("GalleryAgeS", gallery_age_s)

    def record_failure(self, error: BaseException) -> None:
        """Count a failed delivery against its dependency; one for which none failed is not counted at all."""
        self.metrics.count("LeaseLost", int(isinstance(error, LeaseLost)))
        dependency = failed_dependency(error)
        if dependency is None:
            return
        self._calls += 1
        self.metrics.count("Delivered")
        self.metrics.count("Failed")
        self._failures_by_dependency[dependency] += 1

    def flush(self, now: datetime, working_s: float) -> None:
        """The batch is done, after so many seconds.

        Raises Transient where the tally cannot be told. What it was of is forgotten: told later, it would
        speak against a dependency that is well again, and the metrics have it.
        """
        self._working_s += working_s
        self.metrics.add_metadata("releases", sorted(self._releases))
        self.metrics.usd("CostUsd", invocation_cost_usd(working_s, self.memory_mb))
        self.metrics.flush()
        if self._calls and (
            self._failures_by_dependency or time.monotonic() - self._last_saved_s >= LANE_COUNTS_INTERVAL_S
        ):
            counted = LaneCounts(
                now, self._calls, self._working_s, dict(self._failures_by_dependency), self._age_s
            )
            self._calls, self._failures_by_dependency, self._working_s, self._age_s = 0, Counter(), 0.0, 0.0
            self._last_saved_s = time.monotonic()
            self.save_counts(counted)


# MERGED: What active releases show in this container: metrics a batch, a tally in one write every few
#   seconds.

HEALTH_COUNTS_INTERVAL_S = 5.0
"""A container adds to a release's tally no more often."""

MetricValues = dict[str, list[float]]


@dataclass
class ReleaseTelemetry:
    """One container's looks by active release since they were last told.

    tell  keeps them in the release's tally; only of a release that could go back to a former one
    """

    metrics: ReleaseMetrics
    save_counts: Callable[[str, str, HealthCounts, datetime], None]
    _metric_values: dict[tuple[str, str], MetricValues] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    _counts: dict[tuple[str, str], HealthCounts] = field(default_factory=dict)
    _last_saved_s: float = float("-inf")

    def record_health(self, sample: HealthSample, pointers: ReleasePointers) -> None:
        """The active release answered a drop, or broke on it."""
        is_active = sample.release == pointers.active
        expected = pointers.expected if is_active else None
        slow, key = is_slow(sample, expected), (sample.model, sample.release)
        values = self._metric_values[key]
        values["ReleaseFailed"].append(float(sample.failed))
        if sample.failed:
            return
        values["ReleaseSlow"].append(float(slow))
        values["ReleaseUnrecognisedIncrease"].append(round(unrecognised_increase(sample, expected), 4))
        if is_active and pointers.previous is not None:
            counts = self._counts.get(key, HealthCounts())
            self._counts[key] = HealthCounts(
                counts.samples + 1, counts.slow + slow, counts.unrecognised + sample.nothing_recognised
            )

    def flush(self, now: datetime) -> None:
        """The batch is done. Raises Transient where the tally cannot be told."""
        for (model, release), values in self._metric_values.items():
            self.metrics.emit(model, release, values)
        self._metric_values.clear()
        if self._counts and time.monotonic() - self._last_saved_s >= HEALTH_COUNTS_INTERVAL_S:
            self._last_saved_s = time.monotonic()
            while self._counts:
                (model, release), counts = self._counts.popitem()
                self.save_counts(model, release, counts, now)


# MERGED: What releases say of the world in this container, added to their sketches every few seconds.

SKETCH_INTERVAL_S = 20.0
"""A container adds to its releases' sketches no more often."""


@dataclass
class DriftTelemetry:
    """One container's sketches by model and release since they were last told; `tell` adds them up."""

    save_sketch: Callable[[str, str, OutputSketch, datetime], None]
    _sketches: dict[tuple[str, str], OutputSketch] = field(default_factory=dict)
    _last_saved_s: float = float("-inf")

    def record_prediction(self, drop: Drop, release: str, prediction: Prediction) -> None:
        """What was seen in a drop; the canary's photograph says nothing of the world."""
        if drop.source != CANARY_SOURCE and prediction.sightings:
            key = (drop.model, release)
            self._sketches[key] = self._sketches.get(key, OutputSketch()) + sketch_of(prediction.sightings)

    def flush(self, now: datetime) -> None:
        """The batch is done. Raises Transient where it cannot be told; then it is told with a later one."""
        if not self._sketches or time.monotonic() - self._last_saved_s < SKETCH_INTERVAL_S:
            return
        self._last_saved_s = time.monotonic()
        for (model, release), sketch in list(self._sketches.items()):
            self.save_sketch(model, release, sketch, now)
            del self._sketches[model, release]
