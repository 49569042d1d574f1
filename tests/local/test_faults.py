"""Fault injection: each fault happens to functions at its rate, to no other caller, and ends on request."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local.cloud import Cloud
from infra.local.faults.model import Faults, SeededRandom
from tests.local.packages import arn, function, package, queue
from tests.local.waiting import wait_until

_CODE = """
import time
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.session import Session

def _client(service):
    config = Config(retries={"total_max_attempts": 1}, read_timeout=1)
    return Session().create_client(service, config=config)

def call(event, context):
    try:
        answer = getattr(_client(event["service"]), event["call"])(**event["asked"])
    except ClientError as error:
        return error.response["Error"]["Code"]
    except HTTPClientError as error:
        return type(error).__name__
    return answer.get("Item", "done")

def clock(event, context):
    import datetime
    from datetime import timezone
    now = datetime.datetime.now(timezone.utc)
    assert isinstance(now, datetime.datetime)
    return [time.time(), now.timestamp()]

def read(event, context):
    import os, pathlib
    folder = pathlib.Path(os.environ["FOLDER"])
    return [(folder / name).read_bytes().hex() for name in ("one.bin", "other.bin")]
"""
_PUT = {"service": "s3", "call": "put_object", "asked": {"Bucket": "bucket", "Key": "k", "Body": "b"}}
_SEND = {"service": "sqs", "call": "send_message", "asked": {"QueueUrl": "", "MessageBody": "m"}}
_ROW = {"service": "dynamodb", "call": "get_item", "asked": {"TableName": "rows", "Key": {"id": {"S": "a"}}}}
_MEASURE = {
    "service": "cloudwatch",
    "call": "put_metric_data",
    "asked": {"Namespace": "n", "MetricData": [{"MetricName": "m", "Value": 1}]},
}
_LIST = {"service": "lambda", "call": "list_event_source_mappings", "asked": {}}
_PUBLISH = {"service": "sns", "call": "publish", "asked": {"TopicArn": "", "Message": "m"}}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, runtime: Path) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("faults")
    notifications = {"QueueConfigurations": [{"Event": "s3:ObjectCreated:*", "Queue": arn("Notifications")}]}
    bucket = {"BucketName": "bucket", "NotificationConfiguration": notifications}
    table = {
        "TableName": "rows",
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    }
    resources = {
        "Call": function("call", Timeout=3),
        "Clock": function("clock"),
        "Read": function(
            "read", Layers=[{"Ref": "Files"}], Environment={"Variables": {"FOLDER": "/opt/files/deep"}}
        ),
        "Files": {
            "Type": "AWS::Serverless::LayerVersion",
            "Properties": {"LayerName": "files", "ContentUri": "./layers/files"},
        },
        "Box": {"Type": "AWS::S3::Bucket", "Properties": bucket},
        "Rows": {"Type": "AWS::DynamoDB::Table", "Properties": table},
        "News": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "news"}},
        "Notifications": queue("notifications"),
        "Work": queue("work"),
    }
    outputs = {name: {"Value": {"Ref": name}} for name in ("News", "Work", "Notifications")}
    made = package(folder / "p", resources, _CODE, Outputs=outputs)
    deep = made / "layers" / "files" / "files" / "deep"
    deep.mkdir(parents=True)
    for name in ("one.bin", "other.bin"):
        (deep / name).write_bytes(bytes(4))
    with Cloud(made, folder / "d", runtime=runtime, max_workers=2) as running:
        _SEND["asked"]["QueueUrl"] = running.outputs["Work"]  # type: ignore[index]
        _PUBLISH["asked"]["TopicArn"] = running.outputs["News"]  # type: ignore[index]
        yield running


def _invoke_function(cloud: Cloud, event: Any, function: str = "call") -> Any:
    reply = cloud.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    return json.loads(reply["Payload"].read())


def _invoke_with_faults(cloud: Cloud, event: Any, **faults: Any) -> Any:
    cloud.faults.begin(Faults(seed=1, **faults))
    try:
        return _invoke_function(cloud, event)
    finally:
        cloud.faults.end()


def test_the_calls_of_functions_are_recorded_with_what_dynamodb_would_charge(cloud: Cloud):
    write: dict[str, Any] = {"service": "dynamodb", "call": "put_item"}
    write["asked"] = {"TableName": "rows", "Item": {"id": {"S": "b"}, "text": {"S": "x" * 1500}}}
    with cloud.recorded_calls() as calls:
        cloud.client("s3").put_object(Bucket="bucket", Key="not-of-a-function", Body=b"")
        for event in (_PUT, write, _ROW, _PUBLISH):
            assert _invoke_function(cloud, event) == "done"

    assert [(one["function"], one["service"], one["operation"]) for one in calls] == [
        ("call", "s3", "PutObject"),
        ("call", "dynamodb", "PutItem"),
        ("call", "dynamodb", "GetItem"),
        ("call", "sns", "Publish"),
    ]
    assert [one["write_units"] for one in calls] == [{}, {"rows": 2}, {}, {}]
    assert [one["read_units"] for one in calls] == [0, 0, 0.5, 0]


def test_random_draws_follow_from_the_seed():
    one, same, other = SeededRandom(1), SeededRandom(1), SeededRandom(2)

    rolls = [one.draw("kill") for _ in range(1000)]

    assert rolls == [same.draw("kill") for _ in range(1000)]
    assert rolls != [other.draw("kill") for _ in range(1000)]
    assert 0.2 < sum(roll < 0.25 for roll in rolls) / 1000 < 0.3


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (_PUT, "SlowDown"),
        (_ROW, "ProvisionedThroughputExceededException"),
        (_SEND, "ThrottlingException"),
        (_PUBLISH, "Throttling"),
        (_MEASURE, "ThrottlingException"),
        (_LIST, "TooManyRequestsException"),
    ],
)
def test_a_throttled_call_fails_with_the_error_code_of_its_service(cloud: Cloud, event: Any, code: str):
    assert _invoke_with_faults(cloud, event, throttles={event["service"]: 1.0}) == code
    assert _invoke_function(cloud, event) == "done"


@pytest.mark.parametrize("event", [_PUT, _ROW, _SEND, _PUBLISH, _MEASURE])
def test_a_failing_service_responds_with_status_500(cloud: Cloud, event: Any):
    assert _invoke_with_faults(cloud, event, errors={event["service"]: 2.0}) == "InternalError"


@pytest.mark.parametrize("rate", [2.0, 1.0])
def test_lambda_fails_before_or_after_it_executes_a_call(cloud: Cloud, rate: float):
    assert _invoke_with_faults(cloud, _LIST, errors={"lambda": rate}) == "ServiceException"


def test_a_call_can_be_executed_without_a_response(cloud: Cloud):
    before = _message_count(cloud, "Work")

    result = _invoke_with_faults(cloud, _SEND, hangs={"sqs": 1.0})

    assert result == "ReadTimeoutError"
    assert _message_count(cloud, "Work") == before + 1


def test_a_worker_that_reads_a_poisoned_object_is_killed(cloud: Cloud):
    cloud.client("s3").put_object(Bucket="bucket", Key="a/poison.jpg", Body=b"")
    read = {"service": "s3", "call": "get_object", "asked": {"Bucket": "bucket", "Key": "a/poison.jpg"}}

    result = _invoke_with_faults(cloud, read, poison="poison")

    assert result["errorType"] == "Runtime.ExitError"
    assert cloud.client("s3").get_object(Bucket="bucket", Key="a/poison.jpg")["ContentLength"] == 0


@pytest.mark.parametrize("kills", [2.0, 1.0])
def test_a_worker_can_be_killed_in_the_middle_of_a_call(cloud: Cloud, kills: float):
    assert _invoke_with_faults(cloud, _SEND, kills=kills)["errorType"] == "Runtime.ExitError"


def test_a_worker_can_freeze_until_its_timeout_or_exceed_its_memory(cloud: Cloud):
    wait = {
        "service": "sqs",
        "call": "receive_message",
        "asked": {"QueueUrl": cloud.outputs["Work"], "VisibilityTimeout": 0},
    }

    frozen = _invoke_with_faults(cloud, wait, freezes=1.0, hangs={"sqs": 1.0})
    exhausted = _invoke_with_faults(cloud, wait, out_of_memory=1.0, hangs={"sqs": 1.0})

    assert frozen["errorType"] == "Sandbox.Timedout"
    assert exhausted["errorType"] == "Runtime.ExitError"
    assert "Runtime.OutOfMemory" in "".join(cloud.logs("Call"))


def test_a_stale_read_returns_the_row_of_the_first_read(cloud: Cloud):
    rows = cloud.client("dynamodb")
    rows.put_item(TableName="rows", Item={"id": {"S": "a"}, "n": {"N": "1"}})
    cloud.faults.begin(Faults(seed=1, stale_reads={"rows": 1.0}))
    first = _invoke_function(cloud, _ROW)
    rows.put_item(TableName="rows", Item={"id": {"S": "a"}, "n": {"N": "2"}})
    stale = _invoke_function(cloud, _ROW)
    cloud.faults.end()

    assert (first["n"], stale["n"], _invoke_function(cloud, _ROW)["n"]) == (
        {"N": "1"},
        {"N": "1"},
        {"N": "2"},
    )


def test_notifications_are_lost_or_duplicated_and_messages_delayed(cloud: Cloud):
    s3 = cloud.client("s3")
    visible = _message_count(cloud, "Notifications")
    delayed = _message_count(cloud, "Notifications", "ApproximateNumberOfMessagesDelayed")

    cloud.faults.begin(Faults(seed=1, lost_notifications=1.0))
    s3.put_object(Bucket="bucket", Key="lost", Body=b"")
    cloud.faults.begin(Faults(seed=1, duplicate_notifications=1.0, delayed_messages=1.0, max_delay_s=600.0))
    s3.put_object(Bucket="bucket", Key="doubled", Body=b"")
    cloud.faults.end()

    assert _message_count(cloud, "Notifications") == visible
    assert _message_count(cloud, "Notifications", "ApproximateNumberOfMessagesDelayed") == delayed + 2


def test_a_message_can_be_received_twice(cloud: Cloud):
    sqs, url = cloud.client("sqs"), cloud.outputs["Work"]
    cloud.faults.begin(Faults(seed=1, redelivered_messages=1.0))
    sqs.send_message(QueueUrl=url, MessageBody="twice")
    got = [_receive_bodies(cloud, url) for _ in range(2)]
    cloud.faults.end()

    assert "twice" in got[0] & got[1]


def test_the_clocks_of_workers_can_be_skewed(cloud: Cloud):
    cloud.faults.begin(Faults(seed=3, max_clock_skew_s=100_000.0))
    skewed, of_datetime = _invoke_function(cloud, {}, "clock")
    cloud.faults.end()

    assert 1_000 < abs(skewed - time.time()) < 101_000
    assert abs(skewed - of_datetime) < 1_000


def test_a_new_worker_can_have_a_damaged_copy_of_a_file_while_others_have_the_original(cloud: Cloud):
    cloud.faults.begin(Faults(seed=1, corrupt_files={"files/deep/one.bin": 1.0}))
    damaged, again = _invoke_function(cloud, {}, "read"), _invoke_function(cloud, {}, "read")
    cloud.faults.end()
    (worker,) = [one for one in cloud.workers() if one.function == "read"]
    os.kill(worker.pid, signal.SIGKILL)

    assert damaged == again == ["00000100", "00000000"]
    wait_until(lambda: _invoke_function(cloud, {}, "read") == ["00000000", "00000000"])
    assert cloud.faults.counts["file corrupt"] == 1


def test_messages_can_be_reordered(cloud: Cloud):
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName="order")["QueueUrl"]
    cloud.faults.begin(Faults(seed=1, reordered_messages=1.0))
    for body in ("first", "second"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    cloud.faults.end()

    (got,) = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)["Messages"]
    assert got["Body"] == "second"


def test_faults_are_counted_and_do_not_affect_callers_outside_the_functions(cloud: Cloud):
    before = cloud.faults.counts.get("s3 throttled", 0)
    cloud.faults.begin(Faults(seed=1, throttles={"s3": 1.0}))
    cloud.client("s3").put_object(Bucket="bucket", Key="spared", Body=b"")
    _invoke_function(cloud, _PUT)
    cloud.faults.end()

    assert cloud.faults.counts["s3 throttled"] == before + 1


def _receive_bodies(cloud: Cloud, url: str) -> set[str]:
    got = cloud.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return {one["Body"] for one in got.get("Messages", ())}


def _message_count(cloud: Cloud, output: str, name: str = "ApproximateNumberOfMessages") -> int:
    shown = cloud.client("sqs").get_queue_attributes(QueueUrl=cloud.outputs[output], AttributeNames=[name])
    return int(shown["Attributes"][name])
