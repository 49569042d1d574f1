"""Numbers by ten seconds: embedded metrics in log lines, and what AWS itself would measure."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.local.monitoring.summary import Summary, UnknownStatistic

TICKS = 6
"""In a minute: the shortest period of an alarm."""

KEPT_TICKS = 3 * 24 * 60 * TICKS


@dataclass(frozen=True, slots=True)
class Name:
    """One metric of one thing."""

    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, namespace: str, metric: str, dimensions: Mapping[str, str]) -> Name:
        """By its parts."""
        return cls(namespace, metric, tuple(sorted(dimensions.items())))


class Metrics:
    """Written by all threads, read by alarms. `minute_s` is how long a minute takes here.

    Alarms go by the ticks of this cloud, which tests make short; what `fresh` tells goes by the wall's
    clock, because whoever reads metrics back asks for times of day.
    """

    def __init__(self, minute_s: float) -> None:
        self._tick_s = minute_s / TICKS
        self._series: defaultdict[Name, dict[int, tuple[float, ...]]] = defaultdict(dict)
        self._fresh: defaultdict[tuple[Name, int], Summary] = defaultdict(Summary)
        self._lock = threading.Lock()
        self._began = self.tick

    @property
    def ticks(self) -> int:
        """How many have passed since the first."""
        return self.tick - self._began

    @property
    def tick(self) -> int:
        """The number of the ten seconds that are running."""
        return int(time.monotonic() / self._tick_s)

    def add(self, name: Name, values: Sequence[float]) -> None:
        """What was measured now: (sum, count, greatest, least) are kept of each tick."""
        if not values:
            return
        tick = self.tick
        with self._lock:
            self._fresh[name, int(time.time() // 60)].add(values)
            series = self._series[name]
            if tick not in series:
                for old in [one for one in series if one < tick - KEPT_TICKS]:
                    del series[old]
            for value in values:
                total, count, most, least = series.get(tick, (0.0, 0.0, value, value))
                series[tick] = total + value, count + 1, max(most, value), min(least, value)

    def fresh(self) -> list[list[Any]]:
        """What was added since the last time: namespace, metric, dimensions, minute since 1970, figures."""
        with self._lock:
            told, self._fresh = self._fresh, defaultdict(Summary)
        return [
            [name.namespace, name.metric, dict(name.dimensions), minute, summary.plain()]
            for (name, minute), summary in told.items()
        ]

    def take(self, lines: Sequence[str]) -> None:
        """Read embedded metrics out of log lines."""
        for line in lines:
            if '"_aws"' in line:
                for name, values in embedded(line):
                    self.add(name, values)

    def value(self, name: Name, stat: str, ticks: range) -> float | None:
        """A statistic over some ticks; None where nothing was measured."""
        with self._lock:
            found = [kept for tick, kept in self._series.get(name, {}).items() if tick in ticks]
        if not found:
            return None
        totals, counts, most, least = zip(*found, strict=True)
        total, count = float(sum(totals)), float(sum(counts))
        figures = {"Sum": total, "SampleCount": count, "Maximum": max(most), "Minimum": min(least)}
        figures["Average"] = total / count
        if stat not in figures:
            raise UnknownStatistic(stat)
        return float(figures[stat])


def named(metric: Mapping[str, Any]) -> Name:
    """A metric as templates and clients write it."""
    dimensions = {one["Name"]: one["Value"] for one in metric.get("Dimensions", [])}
    return Name.of(metric["Namespace"], metric["MetricName"], dimensions)


def embedded(line: str) -> Iterator[tuple[Name, list[float]]]:
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
                yield Name.of(group["Namespace"], metric["Name"], dimensions), [float(one) for one in values]
