"""Metrics: embedded metric format, values stored by ten-second tick, statistics and metric math."""

from __future__ import annotations

import ast
import json
import math
import operator
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from statistics import quantiles
from typing import Any

from infra.local.errors import UnsupportedFeature

TICKS_PER_MINUTE = 6
"""A tick is ten seconds, the shortest period of an alarm."""

RETENTION_TICKS = 3 * 24 * 60 * TICKS_PER_MINUTE
_MAX_VALUES = 2000
"""Values that a statistic set keeps for percentiles; the oldest are dropped."""


class UnknownStatistic(ValueError):
    """The local cloud does not compute this statistic."""


@dataclass(slots=True)
class StatisticSet:
    """Sum, count and extremes of some values, and the newest values themselves for percentiles."""

    total: float = 0.0
    count: int = 0
    maximum: float = -math.inf
    minimum: float = math.inf
    newest: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, values: Sequence[float]) -> StatisticSet:
        """Summarise at least one value."""
        return cls(sum(values), len(values), max(values), min(values), list(values[-_MAX_VALUES:]))

    def merge(self, other: StatisticSet) -> None:
        """Add the values of another set."""
        self.total += other.total
        self.count += other.count
        self.maximum, self.minimum = max(self.maximum, other.maximum), min(self.minimum, other.minimum)
        self.newest = [*self.newest, *other.newest][-_MAX_VALUES:]

    def statistic(self, name: str) -> float:
        """Return Sum, Average, p99 and so on, by CloudWatch's name. Raises UnknownStatistic."""
        if name in _STATISTICS:
            return float(_STATISTICS[name](self))
        if not self.newest or not re.fullmatch(r"p\d{1,2}(\.\d)?", name):
            raise UnknownStatistic(name)
        per_mille = max(1, round(10 * float(name[1:])))
        values = self.newest if len(self.newest) > 1 else self.newest * 2
        return quantiles(values, n=1000, method="inclusive")[per_mille - 1]


_STATISTICS: Mapping[str, Callable[[StatisticSet], float]] = {
    "Sum": lambda one: one.total,
    "SampleCount": lambda one: one.count,
    "Average": lambda one: one.total / one.count,
    "Maximum": lambda one: one.maximum,
    "Minimum": lambda one: one.minimum,
}


@dataclass(frozen=True, slots=True)
class MetricName:
    """A metric with its namespace and dimensions."""

    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]

    @classmethod
    def create(cls, namespace: str, metric: str, dimensions: Mapping[str, str]) -> MetricName:
        """Build a name whose dimensions are sorted."""
        return cls(namespace, metric, tuple(sorted(dimensions.items())))


class MetricStore:
    """Values written by all threads and read by alarms; `minute_s` is the length of a minute in seconds.

    Alarms use the ticks of this cloud, which tests shorten; `take_unpublished` uses the wall clock, because
    GetMetricData asks for times of day.
    """

    def __init__(self, minute_s: float) -> None:
        self._tick_s = minute_s / TICKS_PER_MINUTE
        self._series: defaultdict[MetricName, dict[int, StatisticSet]] = defaultdict(dict)
        self._unpublished: defaultdict[tuple[MetricName, int], StatisticSet] = defaultdict(StatisticSet)
        self._lock = threading.Lock()
        self._first_tick = self.current_tick

    @property
    def elapsed_ticks(self) -> int:
        """Number of ticks since the cloud started."""
        return self.current_tick - self._first_tick

    @property
    def current_tick(self) -> int:
        """Number of the tick that has not ended."""
        return int(time.monotonic() / self._tick_s)

    def add_values(self, name: MetricName, values: Sequence[float]) -> None:
        """Record values at the current time."""
        if not values:
            return
        tick, added = self.current_tick, StatisticSet.of(values)
        with self._lock:
            self._unpublished[name, int(time.time() // 60)].merge(added)
            series = self._series[name]
            if tick not in series:
                for old in [one for one in series if one < tick - RETENTION_TICKS]:
                    del series[old]
            added.newest = []
            series.setdefault(tick, StatisticSet()).merge(added)

    def take_unpublished(self) -> list[list[Any]]:
        """Return the values added since the last call, as JSON.

        Each entry is namespace, metric, dimensions, minute since 1970 and the fields of a StatisticSet.
        """
        with self._lock:
            unpublished, self._unpublished = self._unpublished, defaultdict(StatisticSet)
        return [
            [name.namespace, name.metric, dict(name.dimensions), minute, list(astuple(values))]
            for (name, minute), values in unpublished.items()
        ]

    def record_log_lines(self, lines: Iterable[str]) -> None:
        """Record the embedded metrics of log lines."""
        for line in lines:
            if '"_aws"' in line:
                for name, values in parse_embedded_metrics(line):
                    self.add_values(name, values)

    def statistic(self, name: MetricName, stat: str, ticks: range) -> float | None:
        """Return a statistic over some ticks; None without values. Percentiles are not stored by tick."""
        merged = StatisticSet()
        with self._lock:
            for tick, values in self._series.get(name, {}).items():
                if tick in ticks:
                    merged.merge(values)
        return merged.statistic(stat) if merged.count else None


def parse_metric_name(metric: Mapping[str, Any]) -> MetricName:
    """Read a metric as templates and clients write it."""
    dimensions = {one["Name"]: one["Value"] for one in metric.get("Dimensions", [])}
    return MetricName.create(metric["Namespace"], metric["MetricName"], dimensions)


def parse_embedded_metrics(line: str) -> Iterator[tuple[MetricName, list[float]]]:
    """Yield the metrics of a line in embedded metric format; a line that is not JSON has none."""
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
                name = MetricName.create(group["Namespace"], metric["Name"], dimensions)
                yield name, [float(one) for one in values]


MetricValues = Mapping[str, float | None]

_MATH_OPERATORS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda left, right: left / right if right else 0.0,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
}


def evaluate_expression(text: str, values: MetricValues, where: str) -> float | None:
    """Evaluate metric math: numbers, names, + - * /, comparisons, IF and FILL.

    Returns None where a metric that the expression needs has no value. Raises UnsupportedFeature.
    """
    value: float | None = _evaluate_node(ast.parse(text, mode="eval").body, values, where)
    return value


def _evaluate_node(node: ast.AST, values: MetricValues, where: str) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name):
            return values[name]
        case (
            ast.BinOp(left=left, op=sign, right=right)
            | ast.Compare(left=left, ops=[sign], comparators=[right])
        ) if type(sign) in _MATH_OPERATORS:
            operands = [_evaluate_node(one, values, where) for one in (left, right)]
            return None if None in operands else _MATH_OPERATORS[type(sign)](*operands)
        case ast.Call(func=ast.Name(id="FILL"), args=[inner, default]):
            found = _evaluate_node(inner, values, where)
            return _evaluate_node(default, values, where) if found is None else found
        case ast.Call(func=ast.Name(id="IF"), args=[condition, then, otherwise]):
            chosen = then if _evaluate_node(condition, values, where) else otherwise
            return _evaluate_node(chosen, values, where)
    raise UnsupportedFeature(where, f"{ast.unparse(node)!r} in metric math")
