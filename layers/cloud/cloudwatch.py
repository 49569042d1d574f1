"""CloudWatch metrics: written as EMF lines to the log, and read back."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from aws_lambda_powertools.metrics import Metrics, MetricUnit

from cloud.errors import translate_errors

if TYPE_CHECKING:  # the lanes write metrics only
    from vigil.reliability.slo import MetricRef

_HOUR = timedelta(hours=1)
AlarmState = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]


class EmfMetrics:
    """Metric values of one invocation, written as one log line in the embedded metric format (EMF)."""

    def __init__(self, *, namespace: str, service: str) -> None:
        self._metrics = Metrics(namespace=namespace, service=service)
        self._has_values = False

    def count(self, name: str, number: float = 1) -> None:
        self._add(name, MetricUnit.Count, number)

    def ms(self, name: str, milliseconds: float) -> None:
        self._add(name, MetricUnit.Milliseconds, milliseconds)

    def seconds(self, name: str, seconds: float) -> None:
        self._add(name, MetricUnit.Seconds, seconds)

    def usd(self, name: str, dollars: float) -> None:
        """CloudWatch has no unit for money."""
        self._add(name, MetricUnit.NoUnit, dollars)

    def add_metadata(self, name: str, value: Any) -> None:
        """Add a value to the log line that is not a metric."""
        self._metrics.add_metadata(key=name, value=value)

    def flush(self) -> None:
        if self._has_values:
            self._metrics.flush_metrics()
        self._has_values = False

    def _add(self, name: str, unit: MetricUnit, value: float) -> None:
        self._metrics.add_metric(name=name, unit=unit, value=value)
        self._has_values = True


class ReleaseMetrics:
    """Metrics of active releases with a resolution of one second: over all for alarms, and by release."""

    def __init__(self, namespace: str, service: str = "release-health") -> None:
        self._namespace, self._service = namespace, service

    def emit(self, model: str, release: str, values: Mapping[str, Sequence[float]]) -> None:
        """Write one EMF line with two sets of dimensions; Powertools supports one set in a line."""
        metrics = [{"Name": name, "Unit": "Count", "StorageResolution": 1} for name in values]
        keys = [["service"], ["service", "model", "release"]]
        directive = {"Namespace": self._namespace, "Dimensions": keys, "Metrics": metrics}
        metadata = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
        line = {"_aws": metadata, "service": self._service, "model": model, "release": release, **values}
        sys.stdout.write(json.dumps(line) + "\n")


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """A statistic of one metric over time, such as Sum or p95."""

    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    statistic: str


@dataclass(frozen=True, slots=True)
class AlarmView:
    """One alarm that has actions.

    since   time of its last change of state; None before its first evaluation
    reason  CloudWatch's explanation of the state
    """

    name: str
    state: AlarmState
    since: datetime | None
    description: str
    reason: str


class CloudWatch:
    """Reads metrics of AWS for the last minutes, and ours for long windows."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def sum_by_window(
        self,
        namespace: str,
        signals: Collection[MetricRef],
        windows: Mapping[str, timedelta],
        *,
        now: datetime,
    ) -> dict[str, dict[MetricRef, float]]:
        """The sum of each signal in each window before now.

        Windows of more than an hour are summed by whole hours, because one response cannot contain a month of
        minutes.
        """
        found: dict[str, dict[MetricRef, float]] = {}
        for period_s, is_long in ((60, False), (3600, True)):
            some = {name: span for name, span in windows.items() if (span > _HOUR) is is_long}
            if some:
                points = self._points(
                    namespace, sorted(signals, key=str), period_s, now - max(some.values()), now
                )
                found |= {name: _sum_since(points, now - span) for name, span in some.items()}
        return found

    def alarms(self, prefix: str) -> list[AlarmView]:
        """Metric and composite alarms whose name begins with this and whose actions are enabled."""
        found: list[dict[str, Any]] = []
        page: dict[str, Any] = {"AlarmNamePrefix": prefix, "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}
        while True:
            with translate_errors("metrics", "describe alarms"):
                answer = self._client.describe_alarms(**page)
            found += [*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())]
            if not answer.get("NextToken"):
                return [_alarm_view(one) for one in found if one["ActionsEnabled"]]
            page["NextToken"] = answer["NextToken"]

    def _points(
        self, namespace: str, signals: Sequence[MetricRef], period_s: int, since: datetime, until: datetime
    ) -> dict[MetricRef, list[tuple[datetime, float]]]:
        queries = [
            _metric_query(
                f"m{place}", _metric_ref(namespace, one.metric, {"service": one.service}), period_s, "Sum"
            )
            for place, one in enumerate(signals)
        ]
        return {
            signal: list(zip(one["Timestamps"], one["Values"], strict=True))
            for signal, one in zip(signals, self._read(queries, since, until), strict=True)
        }

    def read_series(
        self, series: Sequence[MetricSeries], period: timedelta, *, since: datetime, until: datetime
    ) -> list[tuple[float, ...]]:
        """The values of each series by period, oldest first; 0 for a period without measurements."""
        queries = [
            _metric_query(
                f"m{place}",
                _metric_ref(one.namespace, one.metric, one.dimensions),
                int(period.total_seconds()),
                one.statistic,
            )
            for place, one in enumerate(series)
        ]
        return [_by_period(one, period, since, until) for one in self._read(queries, since, until)]

    def _read(
        self, queries: Sequence[Mapping[str, Any]], since: datetime, until: datetime
    ) -> list[dict[str, Any]]:
        """The result of each query, in their order."""
        with translate_errors("metrics", "read metrics"):
            answer = self._client.get_metric_data(MetricDataQueries=queries, StartTime=since, EndTime=until)
        results = {one["Id"]: one for one in answer["MetricDataResults"]}
        return [results[query["Id"]] for query in queries]

    def latest(self, metric: str, dimension: Mapping[str, str], stat: str, *, now: datetime) -> float:
        """The newest minute's value of a metric such as "AWS/Lambda Throttles"; 0 if there is none."""
        return self._latest(metric, [dimension], stat, now)[0]

    def oldest_message_ages(self, queues: Sequence[str], *, now: datetime) -> dict[str, float]:
        """The age in seconds of the oldest message of each queue, by the name of the queue."""
        dimensions = [{"QueueName": name} for name in queues]
        ages_s = self._latest("AWS/SQS ApproximateAgeOfOldestMessage", dimensions, "Maximum", now)
        return dict(zip(queues, ages_s, strict=True))

    def _latest(
        self, metric: str, dimensions: Sequence[Mapping[str, str]], stat: str, now: datetime
    ) -> list[float]:
        """The newest minute's value for each set of dimensions, in one call."""
        namespace, _, name = metric.partition(" ")
        queries = [
            _metric_query(f"m{place}", _metric_ref(namespace, name, dimension), 60, stat)
            for place, dimension in enumerate(dimensions)
        ]
        with translate_errors("metrics", "read metric"):
            answer = self._client.get_metric_data(
                MetricDataQueries=queries,
                StartTime=now - timedelta(minutes=4),
                EndTime=now,
                ScanBy="TimestampDescending",
            )
        values = {one["Id"]: one["Values"] for one in answer["MetricDataResults"]}
        return [float(values[query["Id"]][0]) if values.get(query["Id"]) else 0.0 for query in queries]


def _alarm_view(described: Mapping[str, Any]) -> AlarmView:
    return AlarmView(
        name=described["AlarmName"],
        state=described["StateValue"],
        since=described.get("StateUpdatedTimestamp"),
        description=str(described.get("AlarmDescription") or ""),
        reason=str(described.get("StateReason") or ""),
    )


def _metric_ref(namespace: str, metric: str, dimensions: Mapping[str, str]) -> dict[str, Any]:
    dimension_list = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    return {"Namespace": namespace, "MetricName": metric, "Dimensions": dimension_list}


def _metric_query(query_id: str, metric: Mapping[str, Any], period_s: int, stat: str) -> dict[str, Any]:
    return {"Id": query_id, "MetricStat": {"Metric": metric, "Period": period_s, "Stat": stat}}


def _by_period(
    result: Mapping[str, Any], period: timedelta, since: datetime, until: datetime
) -> tuple[float, ...]:
    values = [0.0] * ((until - since) // period)
    for at, value in zip(result["Timestamps"], result["Values"], strict=True):
        place = (at - since) // period
        if 0 <= place < len(values):
            values[place] = float(value)
    return tuple(values)


def _sum_since(
    points: Mapping[MetricRef, Sequence[tuple[datetime, float]]], begin: datetime
) -> dict[MetricRef, float]:
    return {one: sum(value for at, value in found if at >= begin) for one, found in points.items()}
