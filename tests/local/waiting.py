"""Waiting for something to become true, with a deadline instead of a sleep."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

from infra.local.cloud import Cloud

T = TypeVar("T")


def wait_until(check: Callable[[], T], *, timeout_s: float = 15.0) -> T:
    """The first truthy answer; fails when the time is up."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def recorded(cloud: Cloud, kind: str) -> list[Any]:
    """What the handlers kept of this kind, in order."""
    items = cloud.client("dynamodb").query(
        TableName="records",
        KeyConditionExpression="kind = :kind",
        ExpressionAttributeValues={":kind": {"S": kind}},
    )["Items"]
    return [json.loads(item["what"]["S"]) for item in items]


def invoke_function(cloud: Cloud, function: str, event: Any = None) -> tuple[Any, str | None]:
    """The answer and the error of a synchronous invocation."""
    answer = cloud.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event or {}).encode())
    return json.loads(answer["Payload"].read()), answer.get("FunctionError")


def receive_bodies(cloud: Cloud, name: str) -> list[str]:
    """Receive and delete what is in a queue now."""
    sqs = cloud.client("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in messages]
