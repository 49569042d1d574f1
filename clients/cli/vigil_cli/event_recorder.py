"""A subscriber of the events topic: an SQS queue of its own, from which it counts what it was told."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from vigil_cli.deployment import Deployment


@dataclass
class EventRecorder:
    """Counts events by their id and keeps each once."""

    sqs: Any
    queue_url: str
    deliveries: Counter[str] = field(default_factory=Counter)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def subscribe(cls, cloud: Deployment, name: str) -> "EventRecorder":
        sqs = cloud.client("sqs")
        queue = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        cloud.client("sns").subscribe(
            TopicArn=cloud.outputs["EventsTopicArn"],
            Protocol="sqs",
            Endpoint=arn,
            Attributes={"RawMessageDelivery": "true"},
        )
        return cls(sqs, queue)

    def receive_all(self) -> int:
        """Take what has come; how many events that was."""
        received = 0
        while True:
            response = self.sqs.receive_message(
                QueueUrl=self.queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=0
            )
            messages = response.get("Messages", [])
            if not messages:
                return received
            for message in messages:
                event = json.loads(message["Body"])
                self.deliveries[event["id"]] += 1
                self.events[event["id"]] = event
                self.sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
            received += len(messages)

    def events_of_type(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events.values() if event["type"] == kind]
