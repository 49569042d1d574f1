"""What was measured, by minute and by hour of the wall's clock, as GetMetricData reads it."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import CloudWatchBackend

from infra.local.cloudwatch.metric_math import evaluate_expression
from infra.local.cloudwatch.metrics import MetricName, StatisticSet, UnknownStatistic, parse_metric_name
from infra.local.errors import UnsupportedFeature

RETENTION_S = {60: 7 * 3600, 3600: 31 * 86_400}
"""For how long figures of a minute, and of an hour, are kept."""

DataPoints = dict[int, float]


class MetricArchive:
    """Times are seconds since 1970; a point's time is the beginning of its period."""

    def __init__(self) -> None:
        self._series: dict[int, defaultdict[MetricName, dict[int, StatisticSet]]] = {
            size_s: defaultdict(dict) for size_s in RETENTION_S
        }
        self._lock = threading.Lock()

    def add_measurements(self, measurements: Sequence[Any]) -> None:
        """Add what `Metrics.fresh` told."""
        with self._lock:
            for namespace, metric, dimensions, minute, figures in measurements:
                for size_s in RETENTION_S:
                    self._add_to_period(
                        MetricName.create(namespace, metric, dimensions), size_s, minute * 60, figures
                    )

    def get_metric_data(
        self, queries: Sequence[Mapping[str, Any]], begin_s: float, end_s: float
    ) -> dict[str, DataPoints]:
        """The points of every query, those with an expression too. Raises what they do not understand."""
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

    def _add_to_period(self, name: MetricName, size_s: int, at_s: int, figures: list[Any]) -> None:
        series, period_start_s = self._series[size_s][name], at_s // size_s * size_s
        if period_start_s in series:
            series[period_start_s].merge(StatisticSet.from_json(figures))
            return
        series[period_start_s] = StatisticSet.from_json(figures)
        for old in [one for one in series if one < period_start_s - RETENTION_S[size_s]]:
            del series[old]

    def _merge_periods(
        self, name: MetricName, period_s: int, begin_s: float, end_s: float
    ) -> dict[int, StatisticSet]:
        """By period; a period begins at a multiple of itself."""
        size_s = 3600 if period_s % 3600 == 0 else 60
        begin_s = begin_s // period_s * period_s
        periods: defaultdict[int, StatisticSet] = defaultdict(StatisticSet)
        with self._lock:
            for at, one in self._series[size_s].get(name, {}).items():
                if begin_s <= at < end_s:
                    periods[at // period_s * period_s].merge(one)
        return dict(sorted(periods.items()))


def _evaluate_over_time(
    query: Mapping[str, Any], found: Mapping[str, DataPoints]
) -> Iterator[tuple[int, float]]:
    """An expression at every time at which any metric has a point."""
    for at in sorted({at for points in found.values() for at in points}):
        values = {ident: points.get(at) for ident, points in found.items()}
        value = evaluate_expression(query["Expression"], values, f"query {query['Id']}")
        if value is not None:
            yield at, value


# MERGED: GetMetricData over what was really measured here: percentiles, whole periods, metric math. / moto
#   knows what PutMetricData brought, and answers without percentiles and without regard to the namespace.


def patch_metric_data(archive: MetricArchive) -> None:
    """From here on, in this process."""

    def get(
        _backend: CloudWatchBackend,
        queries: Sequence[Mapping[str, Any]],
        start_time: datetime,
        end_time: datetime,
        scan_by: str = "TimestampDescending",
    ) -> list[dict[str, Any]]:
        points = _query_archive(archive, queries, start_time, end_time)
        points = {
            ident: dict(sorted(found.items(), reverse=scan_by == "TimestampDescending"))
            for ident, found in points.items()
        }
        returned = [query for query in queries if query.get("ReturnData", True)]
        return [_to_query_result(query, points[query["Id"]]) for query in returned]

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
        raise ValidationError(f"The local cloud does not understand {error}") from error


def _to_query_result(query: Mapping[str, Any], points: DataPoints) -> dict[str, Any]:
    return {
        "id": query["Id"],
        "label": query.get("Label") or query["Id"],
        "timestamps": [datetime.fromtimestamp(at, UTC) for at in points],
        "values": list(points.values()),
        "status_code": "Complete",
    }


def _to_measurement(namespace: str, metric: Mapping[str, Any]) -> list[Any]:
    """As `Metrics.fresh` tells it; what a client counted together already is refused."""
    if "StatisticValues" in metric or "Counts" in metric:
        raise ValidationError("The local cloud takes single values of a metric alone")
    moment, summary = metric.get("Timestamp") or datetime.now(UTC), StatisticSet()
    summary.add_values([float(one) for one in metric.get("Values") or [metric["Value"]]])
    dimensions = {one["Name"]: one["Value"] for one in metric.get("Dimensions") or ()}
    return [namespace, metric["MetricName"], dimensions, int(_to_timestamp(moment) // 60), summary.to_json()]


def _to_timestamp(moment: datetime) -> float:
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
