"""Metrics: statistics, GetMetricData, and the metrics of functions, Lambda and SQS."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local.cloud import Cloud
from infra.local.cloudwatch.metric_data import MetricArchive
from infra.local.cloudwatch.metrics import MetricName, MetricStore, StatisticSet, UnknownStatistic
from infra.local.errors import UnsupportedFeature
from tests.local.packages import function, package, queue
from tests.local.waiting import invoke_function, wait_until

_AGE = MetricName.create("Shop", "AgeMs", {"service": "till"})
_AGE_METRIC = {
    "Namespace": "Shop",
    "MetricName": "AgeMs",
    "Dimensions": [{"Name": "service", "Value": "till"}],
}
_FULL_HOUR_MIN = 30_000_000 - 30_000_000 % 60

_CODE = """
import datetime, json, boto3

def measure(event, context):
    names = [{"Name": "AgeMs"}]
    group = {"Namespace": "Shop", "Dimensions": [["service"]], "Metrics": names}
    print(json.dumps({"_aws": {"CloudWatchMetrics": [group]}, "service": "till", "AgeMs": event["ages"]}))

def closed(event, context):
    pass

def read(event, context):
    now = datetime.datetime.now(datetime.timezone.utc)
    since = now - datetime.timedelta(minutes=10)
    query = {"Id": "m", "MetricStat": {"Metric": event["metric"], "Period": 3600, "Stat": event["stat"]}}
    answer = boto3.client("cloudwatch").get_metric_data(
        MetricDataQueries=[query], StartTime=since, EndTime=now
    )
    return answer["MetricDataResults"][0]["Values"]
"""


def test_percentiles_are_those_of_all_values_of_merged_sets():
    random = Random(5)
    values = [random.lognormvariate(4, 1.5) for _ in range(1000)]
    whole = StatisticSet()
    for start in range(0, 1000, 100):
        part = StatisticSet.of(values[start : start + 100])
        whole.merge(StatisticSet(*json.loads(json.dumps(astuple(part)))))

    for percent in (1, 50, 90, 99, 99.9):
        rank = round(len(values) * percent / 100)
        below, above = sorted(values)[rank - 1], sorted(values)[min(rank, 999)]
        assert below <= whole.statistic(f"p{percent}") <= above
    assert whole.statistic("Average") == pytest.approx(sum(values) / 1000)


def test_percentiles_of_many_values_are_those_of_the_newest():
    values = StatisticSet.of([1.0] * 5000)
    values.merge(StatisticSet.of([2.0] * 5000))

    assert (values.statistic("p1"), values.statistic("SampleCount")) == (2.0, 10_000)


@pytest.mark.parametrize("values", [[0.0], [0.0, 0.0, 0.0]])
def test_a_percentile_of_equal_values_is_that_value(values: list[float]):
    zeros = StatisticSet.of(values)

    assert (zeros.statistic("p99"), zeros.statistic("Maximum")) == (0, 0)


def test_an_unknown_statistic_is_refused():
    metrics = MetricStore(60)
    metrics.add_values(_AGE, [1.0])

    with pytest.raises(UnknownStatistic, match="TM99"):
        metrics.statistic(_AGE, "TM99", range(metrics.current_tick, metrics.current_tick + 1))


def test_points_are_at_multiples_of_their_period_and_expressions_use_them():
    archive = _archive({0: [1.0], 1: [3.0], 5: [5.0]})
    sums = {"Id": "s", "MetricStat": {"Metric": _AGE_METRIC, "Period": 300, "Stat": "Sum"}}
    share = {"Id": "e", "Expression": "s / 2"}

    found = archive.get_metric_data([sums, share], _FULL_HOUR_MIN * 60 + 90, _FULL_HOUR_MIN * 60 + 600)

    assert found["s"] == {_FULL_HOUR_MIN * 60: 4.0, _FULL_HOUR_MIN * 60 + 300: 5.0}
    assert found["e"] == {_FULL_HOUR_MIN * 60: 2.0, _FULL_HOUR_MIN * 60 + 300: 2.5}


def test_an_unsupported_expression_is_refused():
    with pytest.raises(UnsupportedFeature, match="ANOMALY"):
        _archive({0: [1.0]}).get_metric_data(
            [
                {"Id": "s", "MetricStat": {"Metric": _AGE_METRIC, "Period": 60, "Stat": "Sum"}},
                {"Id": "e", "Expression": "ANOMALY(s)"},
            ],
            _FULL_HOUR_MIN * 60,
            _FULL_HOUR_MIN * 60 + 60,
        )


def test_minutes_are_kept_for_hours_and_hours_for_a_month():
    archive = _archive({0: [1.0], 24 * 60: [2.0]})

    def values_of(period_s: int) -> list[float]:
        query = {"Id": "s", "MetricStat": {"Metric": _AGE_METRIC, "Period": period_s, "Stat": "Sum"}}
        found = archive.get_metric_data([query], _FULL_HOUR_MIN * 60, (_FULL_HOUR_MIN + 25 * 60) * 60)
        return list(found["s"].values())

    assert values_of(60) == [2.0]
    assert values_of(3600) == [1.0, 2.0]


def test_a_function_reads_percentiles_throttles_and_ages(tmp_path: Path, runtime: Path):
    resources = {
        "Measure": function("measure"),
        "Read": function("read"),
        "Closed": function("closed", ReservedConcurrentExecutions=0),
        "Waiting": queue("waiting"),
    }
    with Cloud(
        package(tmp_path / "p", resources, _CODE), tmp_path / "d", runtime=runtime, minute_s=2
    ) as cloud:
        url = cloud.client("sqs").get_queue_url(QueueName="waiting")["QueueUrl"]
        sent_at = time.time()
        cloud.client("sqs").send_message(QueueUrl=url, MessageBody="x")
        invoke_function(cloud, "measure", {"ages": [10.0 * one for one in range(1, 101)]})
        for _ in range(3):
            with pytest.raises(ClientError, match="TooManyRequests"):
                cloud.client("lambda").invoke(FunctionName="closed")

        p99 = wait_until(lambda: _read_metric(cloud, _AGE_METRIC, "p99"))
        throttles = wait_until(
            lambda: _read_metric(cloud, _aws("Lambda", "Throttles", FunctionName="closed"), "Sum")
        )
        age = _aws("SQS", "ApproximateAgeOfOldestMessage", QueueName="waiting")
        oldest_s = wait_until(lambda: [one for one in _read_metric(cloud, age, "Maximum") if one >= 1])
        ran = _read_metric(cloud, _aws("Lambda", "Duration", FunctionName="measure"), "SampleCount")

    assert p99 == [pytest.approx(990, rel=0.011)]
    assert throttles == [3]
    assert oldest_s[0] <= time.time() - sent_at
    assert ran == [1]


def _archive(numbers: Mapping[int, list[float]]) -> MetricArchive:
    """An archive of values by minutes after a full hour."""
    archive = MetricArchive()
    for minute, values in numbers.items():
        fields = list(astuple(StatisticSet.of(values)))
        archive.add_measurements([["Shop", "AgeMs", {"service": "till"}, _FULL_HOUR_MIN + minute, fields]])
    return archive


def _aws(service: str, metric: str, **dimensions: str) -> dict[str, Any]:
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    return {"Namespace": f"AWS/{service}", "MetricName": metric, "Dimensions": named}


def _read_metric(cloud: Cloud, metric: Mapping[str, Any], stat: str) -> list[float]:
    values, error = invoke_function(cloud, "read", {"metric": metric, "stat": stat})
    assert error is None, values
    return list(values)
