"""Alarms as CloudWatch describes them."""

from collections.abc import Callable
from typing import Any

from cloud.cloudwatch import CloudWatch


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
