"""Alarms: embedded metrics, metric math, and the actions of a state change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.local.cloud import Cloud
from infra.local.cloudwatch.alarms import Alarm, alarm_arns_in_rule
from infra.local.cloudwatch.metrics import (
    MetricName,
    MetricStore,
    evaluate_expression,
    parse_embedded_metrics,
)
from infra.local.errors import UnsupportedFeature
from tests.local.packages import Template, arn, function, package, queue
from tests.local.waiting import invoke_function, wait_until

_METRIC_LINE = json.dumps(
    {
        "_aws": {
            "CloudWatchMetrics": [
                {"Namespace": "Shop", "Dimensions": [["service"]], "Metrics": [{"Name": "Sold"}]}
            ]
        },
        "service": "till",
        "Sold": [2.0, 3.0],
    }
)
_CODE = f"def f(event, context):\n    print({_METRIC_LINE!r})\n\ndef g(event, context):\n    print(event)\n"
_SOLD = MetricName.create("Shop", "Sold", {"service": "till"})


def test_embedded_metrics_are_read_and_other_lines_are_not():
    assert list(parse_embedded_metrics(_METRIC_LINE)) == [(_SOLD, [2.0, 3.0])]
    assert list(parse_embedded_metrics('not JSON, but "_aws"')) == []


def test_statistics_are_of_the_requested_ticks():
    metrics = MetricStore(60)
    metrics.add_values(_SOLD, [2.0, 4.0])
    now = range(metrics.current_tick, metrics.current_tick + 1)

    figures = [metrics.statistic(_SOLD, stat, now) for stat in ("Sum", "Average", "Maximum", "SampleCount")]

    assert figures == [6.0, 3.0, 4.0, 2.0]
    assert metrics.statistic(_SOLD, "Sum", range(metrics.current_tick - 9, metrics.current_tick)) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("IF(FILL(t, 0) > 0, (FILL(b, 0)) / (FILL(t, 0)), 0)", 0.25),
        ("IF(FILL(n, 0) > 0, b / n, 0)", 0.0),
        ("n + 1", None),
    ],
)
def test_metric_math_as_alarms_use_it(text: str, value: float | None):
    assert evaluate_expression(text, {"b": 1.0, "t": 4.0, "n": None}, "here") == value


def test_unsupported_metric_math_and_alarm_rules_are_refused():
    with pytest.raises(UnsupportedFeature, match="RATE"):
        evaluate_expression("RATE(b)", {"b": 1.0}, "here")
    with pytest.raises(UnsupportedFeature, match="OR"):
        list(alarm_arns_in_rule('ALARM("a") OR ALARM("b")', "here"))


def test_no_data_is_missing_before_the_first_period_has_ended():
    expected = {**_alarm("canary")["Properties"], "TreatMissingData": "breaching", "Threshold": 0}
    alarm = Alarm(
        "canary",
        "arn",
        "",
        {**expected, "Namespace": "Shop", "MetricName": "Returned", "Period": 60, "Statistic": "Maximum"},
    )

    assert alarm.evaluate(MetricStore(60), "OK") == "INSUFFICIENT_DATA"


def _alarm(name: str, **properties: object) -> Template:
    plain = {
        "AlarmName": name,
        "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": 1,
        "TreatMissingData": "notBreaching",
        "AlarmActions": [{"Ref": "Ops"}],
    }
    return {"Type": "AWS::CloudWatch::Alarm", "Properties": {**plain, **properties}}


def test_an_alarm_notifies_its_topic_and_the_bus_and_composite_alarms_follow(tmp_path: Path, runtime: Path):
    sold = {"Namespace": "Shop", "MetricName": "Sold", "Dimensions": [{"Name": "service", "Value": "till"}]}
    stat = {"Metric": sold, "Period": 300, "Stat": "Sum"}
    queries = [
        {"Id": "share", "Expression": "IF(FILL(s, 0) > 0, s / 5, 0)"},
        {"Id": "s", "ReturnData": False, "MetricStat": stat},
    ]
    both = 'ALARM("${One.Arn}") AND ALARM("${Two.Arn}")'
    resources = {
        "F": function("f"),
        "Ops": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "ops"}},
        "Notified": queue("notified"),
        "Subscription": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {"TopicArn": {"Ref": "Ops"}, "Protocol": "sqs", "Endpoint": arn("Notified")},
        },
        "Rule": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "EventPattern": {"source": ["aws.cloudwatch"], "detail": {"state": {"value": ["ALARM"]}}},
                "Targets": [{"Id": "g", "Arn": arn("G")}],
            },
        },
        "G": function("g"),
        "One": _alarm("one", **sold, Statistic="Sum", Period=300, Threshold=4),
        "Two": _alarm("two", Metrics=queries, Threshold=0.5, ActionsEnabled=False),
        "Both": {
            "Type": "AWS::CloudWatch::CompositeAlarm",
            "Properties": {"AlarmName": "both", "AlarmRule": {"Fn::Sub": both}},
        },
    }
    made = package(tmp_path / "p", resources, _CODE)
    with Cloud(made, tmp_path / "d", runtime=runtime, minute_s=0.5) as cloud:
        cloudwatch = cloud.client("cloudwatch")
        in_alarm = wait_until(
            lambda: invoke_function(cloud, "f") and _alarms_in_alarm(cloudwatch) == {"one", "two", "both"}
        )
        notified = wait_until(lambda: _received_alarms(cloud) or None)
        events = wait_until(lambda: [line for line in cloud.logs("g") if "alarmName" in line])
        wait_until(lambda: _alarms_in_alarm(cloudwatch) == set())

    assert in_alarm
    assert notified
    assert "CloudWatch Alarm State Change" in events[0]


def _alarms_in_alarm(cloudwatch: Any) -> set[str]:
    found = cloudwatch.describe_alarms(StateValue="ALARM")
    return {one["AlarmName"] for one in found["MetricAlarms"]}


def _received_alarms(cloud: Cloud) -> list[str]:
    url = cloud.client("sqs").get_queue_url(QueueName="notified")["QueueUrl"]
    got = cloud.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [one["Body"] for one in got if "ALARM" in one["Body"]]
