"""Buffers metrics, lane counts, release health and output sketches of one container between writes."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cloud.cloudwatch import EmfMetrics, ReleaseMetrics
from vigil.drops.ledger import LeaseLost
from vigil.drops.messages import CANARY_SOURCE, Drop
from vigil.drops.prediction import ReleaseOutputs
from vigil.drops.process import DropResult
from vigil.errors import MODEL, Transient, failed_dependency
from vigil.inference.types import Prediction
from vigil.releases.drift import OutputSketch, sketch_of
from vigil.releases.health import (
    HealthCounts,
    HealthSample,
    is_slow,
    unrecognised_increase,
)
from vigil.releases.lifecycle import ReleasePointers
from vigil.releases.shadow import ShadowComparison, comparison_of, health_sample_of
from vigil.reliability.lane_counts import FirstAttempts, LaneCounts, source_group

GB_SECOND_USD, REQUEST_USD = 0.0000166667, 0.0000002
"""List prices of Lambda on x86 in most regions."""


def invocation_cost_usd(seconds: float, memory_mb: int) -> float:
    """The estimated cost of one invocation."""
    return seconds * memory_mb / 1024 * GB_SECOND_USD + REQUEST_USD


LANE_COUNTS_INTERVAL_S = 10.0
"""The shortest time between two writes of a container's lane counts, unless something failed."""


@dataclass
class LaneTelemetry:
    """The metrics and lane counts of one container.

    save_counts  adds to the lane's counts in the records table
    stale_s      age from which a replaced gallery counts as stale
    """

    metrics: EmfMetrics
    save_counts: Callable[[LaneCounts], None]
    age_target: timedelta
    memory_mb: int
    stale_s: float
    _calls: int = 0
    _failures_by_dependency: Counter[str] = field(default_factory=Counter)
    _first_calls: Counter[int] = field(default_factory=Counter)
    _first_failures: Counter[tuple[int, str]] = field(default_factory=Counter)
    _first_attempt_of: int | None = None
    _age_s: float = 0.0
    _releases: set[str] = field(default_factory=set)
    _working_s: float = 0.0
    _last_saved_s: float = float("-inf")

    def record_received(self, sent_at: datetime, now: datetime) -> None:
        self._age_s = max(self._age_s, (now - sent_at).total_seconds())

    def record_sent_in_group(self) -> None:
        """Count a message that waited and is sent again in the group of its source."""
        self.metrics.count("SentInGroup")

    def begin_drop(self, source: str, *, is_first_attempt: bool) -> None:
        """What is recorded from now on is about a drop of this source."""
        self._first_attempt_of = source_group(source) if is_first_attempt else None

    def record_result(self, result: DropResult, occurred_at: datetime, now: datetime) -> None:
        """Count a drop that reached its final state, now or before; it occurred at `occurred_at`."""
        self._record_call(failed=None)
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
        """Count a comparison with a gallery that may have been out of date for this time."""
        self.metrics.count("GalleryReads")
        self.metrics.count("GalleryStale", int(gallery_age_s > self.stale_s))
        self.metrics.seconds("GalleryAgeS", gallery_age_s)

    def record_invalid(self, detail: str) -> None:
        """Count rules or a gallery that cannot be read; the last valid ones stay in use."""
        self.metrics.count("ConfigurationInvalid")
        self.metrics.add_metadata("configuration-invalid", detail)

    def record_failure(self, error: BaseException) -> None:
        """Count a failed delivery against its dependency; one for which none failed is not counted at all."""
        self.metrics.count("LeaseLost", int(isinstance(error, LeaseLost)))
        dependency = failed_dependency(error)
        if dependency is None:
            return
        self._record_call(failed=dependency)
        self.metrics.count("Failed")
        self.metrics.count("DependencyFailed", int(dependency != MODEL))

    def _record_call(self, *, failed: str | None) -> None:
        self._calls += 1
        self.metrics.count("Delivered")
        if failed is not None:
            self._failures_by_dependency[failed] += 1
        if self._first_attempt_of is not None:
            self._first_calls[self._first_attempt_of] += 1
            self._first_failures[self._first_attempt_of, failed or ""] += 1
            self._first_attempt_of = None

    def flush(self, now: datetime, working_s: float) -> None:
        """Emit the metrics of a batch that took `working_s`, and save the lane counts if it is time.

        Raises Transient. Counts that cannot be saved are dropped: saved later, they would count against a
        dependency that has recovered.
        """
        self._working_s += working_s
        self.metrics.add_metadata("releases", sorted(self._releases))
        self.metrics.usd("CostUsd", invocation_cost_usd(working_s, self.memory_mb))
        self.metrics.flush()
        if self._calls and (
            self._failures_by_dependency or time.monotonic() - self._last_saved_s >= LANE_COUNTS_INTERVAL_S
        ):
            counted = LaneCounts(
                now,
                self._calls,
                self._working_s,
                dict(self._failures_by_dependency),
                self._age_s,
                self._first_attempts(),
            )
            self._calls, self._failures_by_dependency, self._working_s, self._age_s = 0, Counter(), 0.0, 0.0
            self._first_calls, self._first_failures = Counter(), Counter()
            self._last_saved_s = time.monotonic()
            self.save_counts(counted)

    def _first_attempts(self) -> dict[int, FirstAttempts]:
        failures: dict[int, dict[str, int]] = defaultdict(dict)
        for (group, dependency), count in self._first_failures.items():
            if dependency:
                failures[group][dependency] = count
        return {group: FirstAttempts(calls, failures[group]) for group, calls in self._first_calls.items()}


HEALTH_COUNTS_INTERVAL_S = 5.0
"""The shortest time between two writes of a container's release health."""

MetricValues = dict[str, list[float]]


@dataclass
class ReleaseTelemetry:
    """The metrics and health of releases in one container.

    save_counts      adds to a release's health counts, if the release could be rolled back
    save_comparison  stores a comparison of two releases
    pointers         of a model, as they were some seconds ago
    """

    metrics: ReleaseMetrics
    save_counts: Callable[[str, str, HealthCounts, datetime], None]
    save_comparison: Callable[[ShadowComparison, datetime], None]
    pointers: Callable[[str], ReleasePointers]
    _metric_values: dict[tuple[str, str], MetricValues] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    _counts: dict[tuple[str, str], HealthCounts] = field(default_factory=dict)
    _last_saved_s: float = float("-inf")

    def record_outputs(self, drop: Drop, outputs: ReleaseOutputs, now: datetime) -> None:
        """Record what the releases returned for a drop; a comparison that cannot be stored is dropped."""
        sample, comparison = health_sample_of(drop, outputs), comparison_of(drop, outputs)
        if sample is not None:
            self.record_health(sample)
        if comparison is not None:
            with suppress(Transient):
                self.save_comparison(comparison, now)

    def record_health(self, sample: HealthSample) -> None:
        pointers = self.pointers(sample.model)
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
        """Emit the metrics of a batch, and save the health counts if it is time. Raises Transient."""
        for (model, release), values in self._metric_values.items():
            self.metrics.emit(model, release, values)
        self._metric_values.clear()
        if self._counts and time.monotonic() - self._last_saved_s >= HEALTH_COUNTS_INTERVAL_S:
            self._last_saved_s = time.monotonic()
            while self._counts:
                (model, release), counts = self._counts.popitem()
                self.save_counts(model, release, counts, now)


SKETCH_INTERVAL_S = 20.0
"""The shortest time between two writes of a container's sketches."""


@dataclass
class DriftTelemetry:
    """The output sketches of one container by model and release; `save_sketch` adds to the stored ones."""

    save_sketch: Callable[[str, str, OutputSketch, datetime], None]
    _sketches: dict[tuple[str, str], OutputSketch] = field(default_factory=dict)
    _last_saved_s: float = float("-inf")

    def record_prediction(self, drop: Drop, release: str, prediction: Prediction) -> None:
        """The canary's photograph is not counted: it is always the same."""
        if drop.source != CANARY_SOURCE and prediction.sightings:
            key = (drop.model, release)
            self._sketches[key] = self._sketches.get(key, OutputSketch()) + sketch_of(prediction.sightings)

    def flush(self, now: datetime) -> None:
        """Save the sketches if it is time. Raises Transient; they are saved with a later batch then."""
        if not self._sketches or time.monotonic() - self._last_saved_s < SKETCH_INTERVAL_S:
            return
        self._last_saved_s = time.monotonic()
        for (model, release), sketch in list(self._sketches.items()):
            self.save_sketch(model, release, sketch, now)
            del self._sketches[model, release]
