"""Queues, topics and subscriptions of the template, made in moto by the same calls that AWS would get."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from infra.local.clients import Clients

_QUEUE = (
    "VisibilityTimeout",
    "MessageRetentionPeriod",
    "DelaySeconds",
    "MaximumMessageSize",
    "ReceiveMessageWaitTimeSeconds",
    "FifoQueue",
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
)
_TOPIC = ("DisplayName", "FifoTopic", "ContentBasedDeduplication")


def make_queue(clients: Clients, name: str, properties: Mapping[str, Any]) -> None:
    """Create a queue, without its redrive policy: the dead-letter queue may not exist yet."""
    clients.get("sqs").create_queue(
        QueueName=name,
        Attributes={key: attribute(properties[key]) for key in _QUEUE if key in properties},
        tags={tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])},
    )


def redrive(clients: Clients, url: str, properties: Mapping[str, Any]) -> None:
    """Connect a queue with its dead-letter queue."""
    if "RedrivePolicy" in properties:
        clients.get("sqs").set_queue_attributes(
            QueueUrl=url, Attributes={"RedrivePolicy": attribute(properties["RedrivePolicy"])}
        )


def allow(clients: Clients, properties: Mapping[str, Any]) -> None:
    """Keep the policy of some queues; moto enforces none."""
    for url in properties["Queues"]:
        clients.get("sqs").set_queue_attributes(
            QueueUrl=url, Attributes={"Policy": attribute(properties["PolicyDocument"])}
        )


def make_topic(clients: Clients, name: str, properties: Mapping[str, Any]) -> None:
    """Create a topic, without its subscriptions."""
    clients.get("sns").create_topic(
        Name=name,
        Attributes={key: attribute(properties[key]) for key in _TOPIC if key in properties},
        Tags=properties.get("Tags", []),
    )


def subscribe(clients: Clients, properties: Mapping[str, Any]) -> None:
    """Subscribe an endpoint that moto serves; mail and text messages are accepted and go nowhere."""
    wanted = ("FilterPolicy", "FilterPolicyScope", "RawMessageDelivery")
    clients.get("sns").subscribe(
        TopicArn=properties["TopicArn"],
        Protocol=properties["Protocol"],
        Endpoint=properties["Endpoint"],
        Attributes={
            key: attribute(properties[key]) for key in wanted if properties.get(key) not in (None, False)
        },
    )


def attribute(value: Any) -> str:
    """A property as the string that SQS and SNS take: numbers, true/false, or a document as JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)
