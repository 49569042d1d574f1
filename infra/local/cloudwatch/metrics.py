"""Many numbers as one: their sum, count, extremes, and a sketch that percentiles are read from.

The sketch counts numbers by their order of magnitude in steps of two per cent, as CloudWatch's own does:
a percentile is right to one per cent, and a summary stays small however much goes into it.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_BUCKET_RATIO = 1.02
_LOG_BUCKET_RATIO = math.log(_BUCKET_RATIO)
_ZERO_BUCKET = -(10**6)
"""The step that zero and less are counted in."""

_STATISTICS: Mapping[str, Callable[[StatisticSet], float]] = {
    "Sum": lambda one: one.total,
    "SampleCount": lambda one: float(one.count),
    "Average": lambda one: one.total / one.count,
    "Maximum": lambda one: one.maximum,
    "Minimum": lambda one: one.minimum,
}


class UnknownStatistic(ValueError):
    """CloudWatch may know it; here nobody does."""


@dataclass(slots=True)
class StatisticSet:
    """Of at least one number once it is asked for a statistic."""

    total: float = 0.0
    count: int = 0
    maximum: float = -math.inf
    minimum: float = math.inf
    buckets: Counter[int] = field(default_factory=Counter)

    def add_values(self, values: Iterable[float]) -> None:
        """So many numbers more."""
        for value in values:
            self.total += value
            self.count += 1
            self.maximum, self.minimum = max(self.maximum, value), min(self.minimum, value)
            self.buckets[math.ceil(math.log(value) / _LOG_BUCKET_RATIO) if value > 0 else _ZERO_BUCKET] += 1

    def merge(self, other: StatisticSet) -> None:
        """All numbers of another one, too."""
        self.total += other.total
        self.count += other.count
        self.maximum, self.minimum = max(self.maximum, other.maximum), min(self.minimum, other.minimum)
        self.buckets.update(other.buckets)

    def statistic(self, name: str) -> float:
        """As CloudWatch names it: Sum, Average, p99 ... Raises UnknownStatistic."""
        if name in _STATISTICS:
            return _STATISTICS[name](self)
        if not name.startswith("p"):
            raise UnknownStatistic(name)
        return self._percentile(float(name[1:]))

    def to_json(self) -> list[Any]:
        """For JSON."""
        return [self.total, self.count, self.maximum, self.minimum, list(self.buckets.items())]

    @classmethod
    def from_json(cls, figures: list[Any]) -> StatisticSet:
        """The inverse of `plain`."""
        total, count, maximum, minimum, buckets = figures
        return cls(total, count, maximum, minimum, Counter(dict(buckets)))

    def _percentile(self, percent: float) -> float:
        rank, cumulative_count = max(1, math.ceil(self.count * percent / 100)), 0
        for bucket in sorted(self.buckets):
            cumulative_count += self.buckets[bucket]
            if cumulative_count >= rank:
                break
        middle = _BUCKET_RATIO**bucket * 2 / (1 + _BUCKET_RATIO) if bucket != _ZERO_BUCKET else 0.0
        return min(max(middle, self.minimum), self.maximum)


# MERGED: Numbers by ten seconds: embedded metrics in log lines, and what AWS itself would measure.

TICKS_PER_MINUTE = 6
"""In a minute: the shortest period of an alarm."""

RETENTION_TICKS = 3 * 24 * 60 * TICKS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class MetricName:
    """One metric of one thing."""

    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]

    @classmethod
    def create(cls, namespace: str, metric: str, dimensions: Mapping[str, str]) -> MetricName:
        """By its parts."""
        return cls(namespace, metric, tuple(sorted(dimensions.items())))


class MetricStore:
    """Written by all threads, read by alarms. `minute_s` is how long a minute takes here.

    Alarms go by the ticks of this cloud, which tests make short; what `fresh` tells goes by the wall's
    clock, because whoever reads metrics back asks for times of day.
    """

    def __init__(self, minute_s: float) -> None:
        self._tick_s = minute_s / TICKS_PER_MINUTE
        self._series: defaultdict[MetricName, dict[int, tuple[float, ...]]] = defaultdict(dict)
        self._unpublished: defaultdict[tuple[MetricName, int], StatisticSet] = defaultdict(StatisticSet)
        self._lock = threading.Lock()
        self._first_tick = self.current_tick

    @property
    def elapsed_ticks(self) -> int:
        """How many have passed since the first."""
        return self.current_tick - self._first_tick

    @property
    def current_tick(self) -> int:
        """The number of the ten seconds that are running."""
        return int(time.monotonic() / self._tick_s)

    def add_values(self, name: MetricName, values: Sequence[float]) -> None:
        """What was measured now: (sum, count, greatest, least) are kept of each tick."""
        if not values:
            return
        tick = self.current_tick
        with self._lock:
            self._unpublished[name, int(time.time() // 60)].add_values(values)
            series = self._series[name]
            if tick not in series:
                for old in [one for one in series if one < tick - RETENTION_TICKS]:
                    del series[old]
            for value in values:
                total, count, maximum, minimum = series.get(tick, (0.0, 0.0, value, value))
                series[tick] = total + value, count + 1, max(maximum, value), min(minimum, value)

    def take_unpublished(self) -> list[list[Any]]:
        """What was added since the last time: namespace, metric, dimensions, minute since 1970, figures."""
        with self._lock:
            unpublished, self._unpublished = self._unpublished, defaultdict(StatisticSet)
        return [
            [name.namespace, name.metric, dict(name.dimensions), minute, summary.to_json()]
            for (name, minute), summary in unpublished.items()
        ]

    def record_log_lines(self, lines: Sequence[str]) -> None:
        """Read embedded metrics out of log lines."""
        for line in lines:
            if '"_aws"' in line:
                for name, values in parse_embedded_metrics(line):
                    self.add_values(name, values)

    def statistic(self, name: MetricName, stat: str, ticks: range) -> float | None:
        """A statistic over some ticks; None where nothing was measured."""
        with self._lock:
            found = [
                figures_of_tick
                for tick, figures_of_tick in self._series.get(name, {}).items()
                if tick in ticks
            ]
        if not found:
            return None
        totals, counts, maxima, minima = zip(*found, strict=True)
        total, count = float(sum(totals)), float(sum(counts))
        figures = {"Sum": total, "SampleCount": count, "Maximum": max(maxima), "Minimum": min(minima)}
        figures["Average"] = total / count
        if stat not in figures:
            raise UnknownStatistic(stat)
        return float(figures[stat])


def parse_metric_name(metric: Mapping[str, Any]) -> MetricName:
    """A metric as templates and clients write it."""
    dimensions = {one["Name"]: one["Value"] for one in metric.get("Dimensions", [])}
    return MetricName.create(metric["Namespace"], metric["MetricName"], dimensions)


def parse_embedded_metrics(line: str) -> Iterator[tuple[MetricName, list[float]]]:
    """The metrics of one line in embedded metric format; a line that only looks like one has none."""
    try:
        record: dict[str, Any] = json.loads(line)
    except ValueError:
        return
    for group in record["_aws"].get("CloudWatchMetrics", ()):
        for keys in group["Dimensions"]:
            dimensions = {key: str(record[key]) for key in keys}
            for metric in group["Metrics"]:
                value = record[metric["Name"]]
                values = value if isinstance(value, list) else [value]
                yield (
                    MetricName.create(group["Namespace"], metric["Name"], dimensions),
                    [float(one) for one in values],
                )
