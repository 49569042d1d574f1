"""GetMetricData and PutMetricData on an archive of this cloud's metrics, by minute and by hour.

moto's CloudWatch stores only the values of PutMetricData, and computes no percentiles and no metric math.
AWS also has the metrics that Lambda, SQS and embedded metric format produce. moto would need a store of
statistic sets and an evaluator of metric math.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import CloudWatchBackend

from infra.local.cloudwatch.metrics import (
    MetricName,
    StatisticSet,
    UnknownStatistic,
    evaluate_expression,
    parse_metric_name,
)
from infra.local.errors import UnsupportedFeature

RETENTION_S = {60: 7 * 3600, 3600: 31 * 86_400}
"""How long the values of a minute and of an hour are kept."""

DataPoints = dict[int, float]
"""Values by the beginning of their period, in seconds since 1970."""


class MetricArchive:
    """Statistic sets of each metric by minute and by hour of the wall clock."""

    def __init__(self) -> None:
        self._series: dict[int, defaultdict[MetricName, dict[int, StatisticSet]]] = {
            period_s: defaultdict(dict) for period_s in RETENTION_S
        }
        self._lock = threading.Lock()

    def add_measurements(self, measurements: Sequence[Any]) -> None:
        """Add what `MetricStore.take_unpublished` returns."""
        with self._lock:
            for namespace, metric, dimensions, minute, fields in measurements:
                name = MetricName.create(namespace, metric, dimensions)
                for period_s in RETENTION_S:
                    self._add_to_period(name, period_s, minute * 60, StatisticSet(*fields))

    def get_metric_data(
        self, queries: Sequence[Mapping[str, Any]], begin_s: float, end_s: float
    ) -> dict[str, DataPoints]:
        """Return the points of every query by its id. Raises UnsupportedFeature or UnknownStatistic."""
        found: dict[str, DataPoints] = {}
        for query in queries:
            if "MetricStat" in query:
                stat = query["MetricStat"]
                period_s = int(stat["Period"])
                merged = self._merge_periods(parse_metric_name(stat["Metric"]), period_s, begin_s, end_s)
                found[query["Id"]] = {at: one.statistic(stat["Stat"]) for at, one in merged.items()}
        return found | {
            query["Id"]: dict(_evaluate_over_time(query, found)) for query in queries if "Expression" in query
        }

    def _add_to_period(self, name: MetricName, period_s: int, at_s: int, added: StatisticSet) -> None:
        series, period_start_s = self._series[period_s][name], at_s // period_s * period_s
        if period_start_s not in series:
            for old in [one for one in series if one < period_start_s - RETENTION_S[period_s]]:
                del series[old]
        series.setdefault(period_start_s, StatisticSet()).merge(added)

    def _merge_periods(
        self, name: MetricName, period_s: int, begin_s: float, end_s: float
    ) -> dict[int, StatisticSet]:
        """Return the sets of whole periods; a period begins at a multiple of its length."""
        stored_s = 3600 if period_s % 3600 == 0 else 60
        begin_s = begin_s // period_s * period_s
        periods: defaultdict[int, StatisticSet] = defaultdict(StatisticSet)
        with self._lock:
            for at, one in self._series[stored_s].get(name, {}).items():
                if begin_s <= at < end_s:
                    periods[at // period_s * period_s].merge(one)
        return dict(sorted(periods.items()))


def _evaluate_over_time(
    query: Mapping[str, Any], found: Mapping[str, DataPoints]
) -> Iterator[tuple[int, float]]:
    """Evaluate an expression at every time at which any metric has a point."""
    for at in sorted({at for points in found.values() for at in points}):
        values = {ident: points.get(at) for ident, points in found.items()}
        value = evaluate_expression(query["Expression"], values, f"query {query['Id']}")
        if value is not None:
            yield at, value


def patch_metric_data(archive: MetricArchive) -> None:
    """Let moto's CloudWatch read from and write to the archive."""

    def get(
        _backend: CloudWatchBackend,
        queries: Sequence[Mapping[str, Any]],
        start_time: datetime,
        end_time: datetime,
        scan_by: str = "TimestampDescending",
    ) -> list[dict[str, Any]]:
        points = _query_archive(archive, queries, start_time, end_time)
        newest_first = scan_by == "TimestampDescending"
        return [
            _to_query_result(query, dict(sorted(points[query["Id"]].items(), reverse=newest_first)))
            for query in queries
            if query.get("ReturnData", True)
        ]

    def put(_backend: CloudWatchBackend, namespace: str, metric_data: Sequence[Mapping[str, Any]]) -> None:
        archive.add_measurements([_to_measurement(namespace, one) for one in metric_data])

    CloudWatchBackend.get_metric_data = get  # type: ignore[method-assign,assignment]
    CloudWatchBackend.put_metric_data = put  # type: ignore[method-assign,assignment]


def _query_archive(
    archive: MetricArchive, queries: Sequence[Mapping[str, Any]], start: datetime, end: datetime
) -> dict[str, DataPoints]:
    try:
        return archive.get_metric_data(queries, _to_timestamp(start), _to_timestamp(end))
    except (UnsupportedFeature, UnknownStatistic) as error:
        raise ValidationError(f"The local cloud does not support {error}") from error


def _to_query_result(query: Mapping[str, Any], points: DataPoints) -> dict[str, Any]:
    return {
        "id": query["Id"],
        "label": query.get("Label") or query["Id"],
        "timestamps": [datetime.fromtimestamp(at, UTC) for at in points],
        "values": list(points.values()),
        "status_code": "Complete",
    }


def _to_measurement(namespace: str, metric: Mapping[str, Any]) -> list[Any]:
    """Convert a value of PutMetricData to an entry of `MetricStore.take_unpublished`."""
    if "StatisticValues" in metric or "Counts" in metric:
        raise ValidationError("The local cloud takes single values of a metric only")
    values = StatisticSet.of([float(one) for one in metric.get("Values") or [metric["Value"]]])
    minute = int(_to_timestamp(metric.get("Timestamp") or datetime.now(UTC)) // 60)
    dimensions = {one["Name"]: one["Value"] for one in metric.get("Dimensions") or ()}
    return [namespace, metric["MetricName"], dimensions, minute, list(astuple(values))]


def _to_timestamp(moment: datetime) -> float:
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
