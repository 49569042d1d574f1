"""Waiting for states of a cloud, and calls that most tests need."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

from infra.local.cloud import Cloud

T = TypeVar("T")


def wait_until(check: Callable[[], T], *, timeout_s: float = 120.0) -> T:
    """Return the first truthy result of `check`; the timeout only bounds a failing test."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < deadline, "the state was not reached"
        time.sleep(0.05)


def recorded(cloud: Cloud, kind: str) -> list[Any]:
    """Return the values that the handlers recorded under this kind, in order."""
    items = cloud.client("dynamodb").query(
        TableName="records",
        KeyConditionExpression="kind = :kind",
        ExpressionAttributeValues={":kind": {"S": kind}},
    )["Items"]
    return [json.loads(item["what"]["S"]) for item in items]


def invoke_function(cloud: Cloud, function: str, event: Any = None) -> tuple[Any, str | None]:
    """Invoke a function and return its result and its error."""
    answer = cloud.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event or {}).encode())
    return json.loads(answer["Payload"].read()), answer.get("FunctionError")


def receive_bodies(cloud: Cloud, name: str) -> list[str]:
    """Receive and delete the messages of a queue."""
    sqs = cloud.client("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in messages]
