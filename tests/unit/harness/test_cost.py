"""The arithmetic of cost and capacity: what a photo uses, what that costs, and which limit breaks first."""

import pytest

from tests.cost.capacity import RATES, Limit, breaking_at, loads_per_photo, read_limits
from tests.cost.measure import runs_per_month, things_per_month
from tests.cost.prices import load_prices
from tests.cost.usage import billed_seconds, custom_metrics, use_of_calls, use_of_invocations

REPORT = "REPORT RequestId: a\tDuration: 149.2 ms\tBilled Duration: 150 ms\tMemory Size: 2048 MB\t"
PHOTO = {
    "use": {"s3 writes": 1.0, "sns publishes": 1.0},
    "write_units": {"records": 8.0, "records/listing": 3.2, "records/completed": 1.0},
    "seconds": {"Live": 0.2, "Publish": 0.05},
}


def call(service: str, operation: str = "x", **more: object) -> dict[str, object]:
    return {"service": service, "operation": operation, "write_units": {}, "read_units": 0.0, **more}


def test_the_use_of_calls_is_units_of_dynamodb_and_requests_of_the_others():
    use = use_of_calls(
        [
            call("dynamodb", write_units={"records": 4, "records/listing": 1}),
            call("dynamodb", read_units=0.5),
            call("s3", "GetObject"),
            call("s3", "PutObject"),
            call("s3", "DeleteObject"),
            call("sns"),
            call("sqs"),
        ]
    )

    assert use == {
        "dynamodb write units": 5,
        "dynamodb read units": 0.5,
        "s3 reads": 1,
        "s3 writes": 1,
        "sns publishes": 1,
        "sqs requests": 1,
    }


def test_an_invocation_uses_its_billed_duration_times_its_memory():
    use = use_of_invocations(["START", REPORT, REPORT])

    assert use["lambda requests"] == 2
    assert use["lambda gb seconds"] == pytest.approx(2 * 0.150 * 2)
    assert billed_seconds([REPORT, "START"]) == pytest.approx(0.15)
    assert use["log megabytes"] == pytest.approx((5 + 2 * len(REPORT) + 3 * 27) / 2**20)


def test_use_is_priced_by_group():
    usd = load_prices().usd_by_group({"s3 writes": 1, "lambda gb seconds": 2}, times=1_000_000)

    assert usd == pytest.approx({"requests": 5, "compute": 33.3334, "logs": 0, "total": 38.3334})


def test_metrics_are_counted_by_namespace_name_and_dimensions():
    line = (
        '{"_aws":{"CloudWatchMetrics":[{"Namespace":"n","Dimensions":[["service"],["service","model"]],'
        '"Metrics":[{"Name":"a"},{"Name":"b"}]}]},"service":"live","model":"faces"}'
    )

    assert custom_metrics([line, line, line.replace('"live"', '"bulk"'), "text"]) == 8


def test_what_has_a_price_per_month_is_counted_in_the_template():
    resources = {
        "Key": {"Type": "AWS::KMS::Key"},
        "Plain": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "m"}},
        "Math": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {"Metrics": [{"Expression": "a/b"}, {"MetricStat": {}}, {"MetricStat": {}}]},
        },
        "Both": {"Type": "AWS::CloudWatch::CompositeAlarm"},
    }

    assert things_per_month(resources) == {
        "kms keys": 1,
        "dashboards": 0,
        "composite alarms": 1,
        "metrics of alarms": 3,
    }
    assert runs_per_month("rate(5 minutes)") == 8_760
    assert runs_per_month("rate(1 minute)") == 43_800


def test_a_limit_breaks_above_what_a_photo_leaves_of_it():
    table = Limit("table", 4_000, 8, "", "")
    workers = Limit("workers", 12, 0.2, "", "")

    assert table.photos_per_s == 500
    assert table.share_at(250) == 0.5
    assert breaking_at([table, workers], 60) == []
    assert breaking_at([table, workers], 61) == [workers]
    assert breaking_at([table, workers], 501) == [workers, table]
    assert Limit("none", 1, 0, "", "").photos_per_s == float("inf")


def test_every_limit_has_a_load_that_is_measured_and_a_source():
    limits = read_limits(loads_per_photo(PHOTO), {"Workers": {"Default": 12}})

    assert {one.name for one in breaking_at(limits, max(RATES))} >= {
        "Workers of both lanes",
        "DynamoDB: writes of one table",
        "DynamoDB: writes of one key of the lists",
    }
    assert breaking_at(limits, 1) == []
    assert all(one.source and one.remedy for one in limits)
