"""Alarms as CloudWatch describes them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from cloud.cloudwatch import CloudWatch, MetricSeries


def put_alarm(client: Any, name: str, **more: Any) -> None:
    client.put_metric_alarm(
        AlarmName=name,
        AlarmDescription="Live drops are late. docs/operations.md#live-age",
        Namespace="n",
        MetricName="m",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        **more,
    )


def test_alarms_with_actions_are_described_by_the_prefix_of_their_name(aws: Callable[[str], Any]):
    client = aws("cloudwatch")
    put_alarm(client, "vigil-a-live-age")
    put_alarm(client, "vigil-a-silent", ActionsEnabled=False)
    put_alarm(client, "other-live-age")

    (alarm,) = CloudWatch(client).alarms("vigil-a-")

    assert (alarm.name, alarm.state) == ("vigil-a-live-age", "OK")
    assert alarm.description == "Live drops are late. docs/operations.md#live-age"


def test_a_series_has_one_value_for_each_period_and_zero_where_nothing_was_measured():
    since = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    period = timedelta(minutes=5)
    client = StoredPoints({"m0": [(since + 2 * period, 3.0), (since, 1.0)], "m1": []})
    series = [
        MetricSeries("n", "Completed", {"service": "live"}, "Sum"),
        MetricSeries("n", "AgeMs", {}, "p95"),
    ]

    read = CloudWatch(client).read_series(series, period, since=since, until=since + 3 * period)

    assert read == [(1.0, 0.0, 3.0), (0.0, 0.0, 0.0)]


class StoredPoints:
    """Answers GetMetricData with points by the id of the query."""

    def __init__(self, points: dict[str, list[tuple[datetime, float]]]) -> None:
        self._points = points

    def get_metric_data(self, **_request: Any) -> dict[str, Any]:
        results = [
            {"Id": name, "Timestamps": [at for at, _ in found], "Values": [value for _, value in found]}
            for name, found in self._points.items()
        ]
        return {"MetricDataResults": results}
