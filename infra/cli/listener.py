"""A subscriber of the events topic: an SQS queue of its own, from which it counts what it was told."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from infra.cli.deployment import Deployment


@dataclass
class Listener:
    """Counts events by their id and keeps each once."""

    sqs: Any
    queue: str
    heard: Counter[str] = field(default_factory=Counter)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def subscribed(cls, cloud: Deployment, name: str) -> "Listener":
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

    def listen(self) -> int:
        """Take what has come; how many events that was."""
        taken = 0
        while True:
            answer = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10, WaitTimeSeconds=0)
            messages = answer.get("Messages", [])
            if not messages:
                return taken
            for message in messages:
                event = json.loads(message["Body"])
                self.heard[event["id"]] += 1
                self.events[event["id"]] = event
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
            taken += len(messages)

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events.values() if event["type"] == kind]
