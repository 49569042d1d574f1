"""GetMetricData over what was really measured here: percentiles, whole periods, metric math.

moto knows what PutMetricData brought, and answers without percentiles and without regard to the namespace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import CloudWatchBackend

from infra.local.errors import CannotImitate
from infra.local.monitoring.archive import Archive, Points
from infra.local.monitoring.summary import Summary, UnknownStatistic


def read(archive: Archive) -> None:
    """From here on, in this process."""

    def get(
        _backend: CloudWatchBackend,
        queries: Sequence[Mapping[str, Any]],
        start_time: datetime,
        end_time: datetime,
        scan_by: str = "TimestampDescending",
    ) -> list[dict[str, Any]]:
        points = _answered(archive, queries, start_time, end_time)
        points = {
            ident: dict(sorted(found.items(), reverse=scan_by == "TimestampDescending"))
            for ident, found in points.items()
        }
        told = [query for query in queries if query.get("ReturnData", True)]
        return [_result(query, points[query["Id"]]) for query in told]

    def put(_backend: CloudWatchBackend, namespace: str, metric_data: Sequence[Mapping[str, Any]]) -> None:
        archive.take([_point(namespace, one) for one in metric_data])

    CloudWatchBackend.get_metric_data = get  # type: ignore[method-assign,assignment]
    CloudWatchBackend.put_metric_data = put  # type: ignore[method-assign,assignment]


def _answered(
    archive: Archive, queries: Sequence[Mapping[str, Any]], start: datetime, end: datetime
) -> dict[str, Points]:
    try:
        return archive.answer(queries, _seconds(start), _seconds(end))
    except (CannotImitate, UnknownStatistic) as error:
        raise ValidationError(f"The local cloud does not understand {error}") from error


def _result(query: Mapping[str, Any], points: Points) -> dict[str, Any]:
    return {
        "id": query["Id"],
        "label": query.get("Label") or query["Id"],
        "timestamps": [datetime.fromtimestamp(at, UTC) for at in points],
        "values": list(points.values()),
        "status_code": "Complete",
    }


def _point(namespace: str, metric: Mapping[str, Any]) -> list[Any]:
    """As `Metrics.fresh` tells it; what a client counted together already is refused."""
    if "StatisticValues" in metric or "Counts" in metric:
        raise ValidationError("The local cloud takes single values of a metric alone")
    moment, summary = metric.get("Timestamp") or datetime.now(UTC), Summary()
    summary.add([float(one) for one in metric.get("Values") or [metric["Value"]]])
    dimensions = {one["Name"]: one["Value"] for one in metric.get("Dimensions") or ()}
    return [namespace, metric["MetricName"], dimensions, int(_seconds(moment) // 60), summary.plain()]


def _seconds(moment: datetime) -> float:
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
