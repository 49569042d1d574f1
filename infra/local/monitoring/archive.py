"""What was measured, by minute and by hour of the wall's clock, as GetMetricData reads it."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infra.local.monitoring.expressions import evaluate
from infra.local.monitoring.metrics import Name, named
from infra.local.monitoring.summary import Summary

KEPT_S = {60: 7 * 3600, 3600: 31 * 86_400}
"""For how long figures of a minute, and of an hour, are kept."""

Points = dict[int, float]


class Archive:
    """Times are seconds since 1970; a point's time is the beginning of its period."""

    def __init__(self) -> None:
        self._series: dict[int, defaultdict[Name, dict[int, Summary]]] = {
            size_s: defaultdict(dict) for size_s in KEPT_S
        }
        self._lock = threading.Lock()

    def take(self, told: Sequence[Any]) -> None:
        """Add what `Metrics.fresh` told."""
        with self._lock:
            for namespace, metric, dimensions, minute, plain in told:
                for size_s in KEPT_S:
                    self._add(Name.of(namespace, metric, dimensions), size_s, minute * 60, plain)

    def answer(self, queries: Sequence[Mapping[str, Any]], begin_s: float, end_s: float) -> dict[str, Points]:
        """The points of every query, those with an expression too. Raises what they do not understand."""
        found: dict[str, Points] = {}
        for query in queries:
            if "MetricStat" in query:
                stat = query["MetricStat"]
                period_s = int(stat["Period"])
                merged = self._merged(named(stat["Metric"]), period_s, begin_s, end_s)
                found[query["Id"]] = {at: one.statistic(stat["Stat"]) for at, one in merged.items()}
        return found | {
            query["Id"]: dict(_worked_out(query, found)) for query in queries if "Expression" in query
        }

    def _add(self, name: Name, size_s: int, at_s: int, plain: list[Any]) -> None:
        series, begin_s = self._series[size_s][name], at_s // size_s * size_s
        if begin_s in series:
            series[begin_s].merge(Summary.read(plain))
            return
        series[begin_s] = Summary.read(plain)
        for old in [one for one in series if one < begin_s - KEPT_S[size_s]]:
            del series[old]

    def _merged(self, name: Name, period_s: int, begin_s: float, end_s: float) -> dict[int, Summary]:
        """By period; a period begins at a multiple of itself."""
        size_s = 3600 if period_s % 3600 == 0 else 60
        begin_s = begin_s // period_s * period_s
        periods: defaultdict[int, Summary] = defaultdict(Summary)
        with self._lock:
            for at, one in self._series[size_s].get(name, {}).items():
                if begin_s <= at < end_s:
                    periods[at // period_s * period_s].merge(one)
        return dict(sorted(periods.items()))


def _worked_out(query: Mapping[str, Any], found: Mapping[str, Points]) -> Iterator[tuple[int, float]]:
    """An expression at every time at which any metric has a point."""
    for at in sorted({at for points in found.values() for at in points}):
        values = {ident: points.get(at) for ident, points in found.items()}
        value = evaluate(query["Expression"], values, f"query {query['Id']}")
        if value is not None:
            yield at, value
