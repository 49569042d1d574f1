"""SNS to Lambda: a hidden queue takes what the subscription's filter lets through, and is emptied here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from infra.local import channels
from infra.local.clients import Clients
from infra.local.health import Health
from infra.local.identities import Place

_POLL_S = 20
_RECEIVE = 10


class TopicPoller:
    """One subscription of a function; moto does the filtering and keeps the attributes."""

    def __init__(
        self,
        properties: Mapping[str, Any],
        *,
        clients: Clients,
        place: Place,
        start: Callable[[str, bytes], object],
        health: Health,
    ) -> None:
        self._function = properties["Endpoint"]
        self._topic = properties["TopicArn"]
        digest = hashlib.sha256(f"{self._topic} {self._function}".encode()).hexdigest()[:16]
        self._name = f"local-subscription-{digest}"
        self._subscription = {
            **properties,
            "Protocol": "sqs",
            "Endpoint": place.arn("sqs", self._name),
            "RawMessageDelivery": False,
        }
        self._clients = clients
        self._start = start
        self._health = health
        self.url = place.queue_url(self._name)
        self.busy = False

    def subscribe(self) -> None:
        """Make the hidden queue and subscribe it."""
        channels.make_queue(self._clients, self._name, {"VisibilityTimeout": 30})
        channels.subscribe(self._clients, self._subscription)

    def run(self) -> None:
        """Until the cloud stops: one asynchronous invocation for each message, as SNS does."""
        sqs = self._clients.get("sqs")
        while not self._health.stopping.is_set():
            messages = sqs.receive_message(
                QueueUrl=self.url, WaitTimeSeconds=_POLL_S, MaxNumberOfMessages=_RECEIVE
            ).get("Messages", [])
            for message in messages:
                self._start(self._function, json.dumps(self._event(json.loads(message["Body"]))).encode())
                sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def _event(self, notification: Mapping[str, Any]) -> dict[str, Any]:
        shaped = {
            "Type": notification["Type"],
            "MessageId": notification["MessageId"],
            "TopicArn": notification["TopicArn"],
            "Subject": notification.get("Subject"),
            "Message": notification["Message"],
            "Timestamp": notification["Timestamp"],
            "SignatureVersion": notification["SignatureVersion"],
            "Signature": notification["Signature"],
            "SigningCertUrl": notification["SigningCertURL"],
            "UnsubscribeUrl": notification["UnsubscribeURL"],
            "MessageAttributes": notification.get("MessageAttributes", {}),
        }
        record = {
            "EventVersion": "1.0",
            "EventSubscriptionArn": f"{self._topic}:{self._name[-16:]}",
            "EventSource": "aws:sns",
            "Sns": shaped,
        }
        return {"Records": [record]}
