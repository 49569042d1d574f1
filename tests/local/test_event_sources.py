"""Event sources: partial batch responses, queues, streams, notifications, schedules and rules."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.local.cloud import Cloud
from infra.local.event_sources.mapping import failed_ids
from infra.local.lambda_.service import InvocationResult
from tests.local.waiting import receive_bodies, recorded, wait_until

_MESSAGE_IDS = ["a", "b"]


def _invocation_result(value: Any, error: str | None = None) -> InvocationResult:
    return InvocationResult("id", json.dumps(value).encode(), error, 0.0)


@pytest.mark.parametrize(
    ("response", "failed"),
    [
        (None, set()),
        ({}, set()),
        ({"batchItemFailures": []}, set()),
        ({"batchItemFailures": None}, set()),
        ({"batchItemFailures": [{"itemIdentifier": "a"}]}, {"a"}),
        ({"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "a"}]}, {"a"}),
        ({"batchItemFailures": [{"itemIdentifier": "nobody"}]}, {"a", "b"}),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, {"a", "b"}),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, {"a", "b"}),
        ({"batchItemFailures": [{"wrongName": "a"}]}, {"a", "b"}),
        ({"batchItemFailures": "a"}, {"a", "b"}),
        ("done", {"a", "b"}),
    ],
)
def test_a_response_names_the_failed_records_or_fails_the_whole_batch(response: Any, failed: set[str]):
    assert failed_ids(_invocation_result(response), _MESSAGE_IDS, partial_responses=True) == failed


def test_an_error_fails_the_whole_batch():
    assert failed_ids(_invocation_result(None, "Unhandled"), _MESSAGE_IDS, partial_responses=True) == {
        "a",
        "b",
    }


def test_without_partial_responses_the_response_is_ignored():
    assert (
        failed_ids(
            _invocation_result({"batchItemFailures": [{"itemIdentifier": "a"}]}),
            _MESSAGE_IDS,
            partial_responses=False,
        )
        == set()
    )


def _send_messages(cloud: Cloud, name: str, *texts: str, **more: Any) -> None:
    sqs = cloud.client("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    entries = [{"Id": str(number), "MessageBody": text, **more} for number, text in enumerate(texts)]
    sqs.send_message_batch(QueueUrl=url, Entries=entries)


def _notification_records(texts: list[str]) -> list[Any]:
    return [record for text in texts for record in json.loads(text).get("Records", [])]


def test_only_the_failed_messages_of_a_batch_return_and_end_in_the_dead_letter_queue(
    cloud: Cloud,
):
    _send_messages(cloud, "work", "good 1", "bad 1", "good 2")

    cloud.wait_until_idle(120)

    delivered = [body for batch in recorded(cloud, "batch") for body in batch]
    assert sorted(delivered) == ["bad 1", "bad 1", "good 1", "good 2"]
    assert wait_until(lambda: receive_bodies(cloud, "dead")) == ["bad 1"]


def test_a_queue_record_has_the_fields_of_aws_and_filters_discard_the_rest(cloud: Cloud):
    attributes = {"kind": {"DataType": "String", "StringValue": "photo"}}
    _send_messages(cloud, "filtered-queue", '{"size": 2}', '{"size": 5}', MessageAttributes=attributes)

    cloud.wait_until_idle(120)

    [record] = recorded(cloud, "filtered")
    assert record["body"] == '{"size": 5}'
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["attributes"]["SentTimestamp"].isdigit()
    assert record["messageAttributes"]["kind"] == {
        "stringValue": "photo",
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": "String",
    }
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == "arn:aws:sqs:us-east-1:123456789012:filtered-queue"
    assert record["awsRegion"] == "us-east-1"
    assert {"messageId", "receiptHandle", "md5OfBody"} <= set(record)


def test_a_mapping_is_disabled_and_enabled_through_the_lambda_api(cloud: Cloud):
    api = cloud.client("lambda")

    def describe() -> dict[str, Any]:
        listed = api.list_event_source_mappings(FunctionName="throttled_by_control")["EventSourceMappings"]
        return dict(listed[0])

    mapping = describe()
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 2}
    api.update_event_source_mapping(
        UUID=mapping["UUID"], Enabled=False, ScalingConfig={"MaximumConcurrency": 3}
    )
    wait_until(lambda: describe()["State"] == "Disabled")
    _send_messages(cloud, "lane", "while disabled")
    assert recorded(cloud, "controlled") == []

    shown = api.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    assert shown["ScalingConfig"] == {"MaximumConcurrency": 3}
    assert wait_until(lambda: recorded(cloud, "controlled")) == ["while disabled"]


def test_a_bucket_notifies_its_queue_of_new_objects_under_the_prefix(cloud: Cloud):
    s3 = cloud.client("s3")
    s3.put_object(Bucket=cloud.outputs["Bucket"], Key="other/a.jpg", Body=b"a")
    s3.put_object(Bucket=cloud.outputs["Bucket"], Key="live/b.jpg", Body=b"b")

    # S3 sent its test event to the queue when the notification was set up.
    records = wait_until(lambda: _notification_records(receive_bodies(cloud, "arrivals")))
    assert [record["s3"]["object"]["key"] for record in records] == ["live/b.jpg"]


def test_a_stream_continues_in_order_after_a_failing_record_was_discarded(cloud: Cloud):
    dynamodb = cloud.client("dynamodb")
    for number in range(6):
        text = "poison" if number == 2 else "fine"
        dynamodb.put_item(TableName="things", Item={"id": {"S": str(number)}, "text": {"S": text}})
    dynamodb.delete_item(TableName="things", Key={"id": {"S": "0"}})

    cloud.wait_until_idle(120)

    # A failed batch is delivered again from its start: records may repeat, but their order holds.
    order = [change["id"] for change in recorded(cloud, "stream")]
    assert list(dict.fromkeys(order)) == ["0", "1", "3", "4", "5"]
    assert {change["name"] for change in recorded(cloud, "stream")} == {"INSERT"}
    [body] = wait_until(lambda: receive_bodies(cloud, "discarded"))
    notification = json.loads(body)
    assert notification["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert notification["DDBStreamBatchInfo"]["batchSize"] == 1


def test_a_schedule_invokes_its_function_with_a_scheduled_event(cloud: Cloud):
    ticks = wait_until(lambda: recorded(cloud, "tick"))

    assert ticks[0]["source"] == "aws.events"
    assert ticks[0]["detail-type"] == "Scheduled Event"
    assert ticks[0]["detail"] == {}
    assert ticks[0]["resources"][0].startswith("arn:aws:events:us-east-1:123456789012:rule/")


def test_a_rule_delivers_the_events_that_its_pattern_matches(cloud: Cloud):
    for state in ("open", "done"):
        cloud.emit_event("shop", "order", {"state": state})

    [event] = wait_until(lambda: recorded(cloud, "event"))
    assert event["detail"] == {"state": "done"}
    assert event["detail-type"] == "order"
