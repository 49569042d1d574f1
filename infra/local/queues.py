"""Lambda's poller of an SQS queue: receive, invoke, delete what succeeded."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from infra.local.batches import failures
from infra.local.clients import Clients
from infra.local.errors import Throttled
from infra.local.functions import Functions
from infra.local.health import Health
from infra.local.mappings import EventSource

_POLL_S = 2
"""How long one receive waits, and so how long switching off can take; moto sleeps meanwhile."""

_RECEIVE = 10
_AT_ONCE = 5
"""Batches that Lambda starts with when no MaximumConcurrency is set."""


class QueuePoller:
    """Serves one mapping; at most its MaximumConcurrency batches are out at a time.

    A failed or throttled batch is left alone: its messages come back when their visibility timeout ends,
    and go to the dead-letter queue after maxReceiveCount, exactly as on AWS.
    """

    def __init__(
        self, mapping: EventSource, *, url: str, functions: Functions, clients: Clients, health: Health
    ) -> None:
        self.mapping = mapping
        self.url = url
        self._functions = functions
        self._sqs = clients.get("sqs")
        self._region = mapping.source.split(":")[3]
        self._health = health
        self._out = 0
        self._freed = threading.Condition()

    @property
    def busy(self) -> bool:
        """Whether a batch is being worked on."""
        return self._out > 0

    def run(self) -> None:
        """Poll until the cloud stops."""
        while not self._health.stopping.is_set():
            if not self.mapping.enabled:
                self.mapping.settle()
                self.mapping.changed.wait(1)
                self.mapping.changed.clear()
            elif self._has_room():
                self._start(self._wanted(self._gather()))

    def _has_room(self) -> bool:
        with self._freed:
            limit = self.mapping.settings.concurrency or _AT_ONCE
            return self._out < limit or (self._freed.wait(1) and self._out < limit)

    def _gather(self) -> list[dict[str, Any]]:
        """One batch: what is there now, or, with a batching window, what comes until it closes."""
        settings = self.mapping.settings
        batch = self._receive(min(settings.batch_size, _RECEIVE), _POLL_S)
        closes = time.monotonic() + settings.window_s
        while batch and len(batch) < settings.batch_size and time.monotonic() < closes:
            more = self._receive(min(settings.batch_size - len(batch), _RECEIVE), 1)
            batch.extend(more)
        return batch

    def _receive(self, most: int, wait_s: int) -> list[dict[str, Any]]:
        got: list[dict[str, Any]] = self._sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=most,
            WaitTimeSeconds=wait_s,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages", [])
        return got

    def _wanted(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Drop what the filters do not want, as AWS does; hand all back if disabled meanwhile."""
        if messages and not self.mapping.enabled:
            self._hand_back(messages)
            return []
        if not self.mapping.settings.filters:
            return messages
        wanted = [one for one in messages if self.mapping.settings.wants(_parsed(self._record(one)))]
        self._delete([one for one in messages if one not in wanted])
        return wanted

    def _start(self, messages: list[dict[str, Any]]) -> None:
        if messages:
            with self._freed:
                self._out += 1
            self._health.start(f"batch-{self.mapping.function}", lambda: self._work(messages))

    def _work(self, messages: list[dict[str, Any]]) -> None:
        try:
            failed = self._invoke(messages)
            self._delete([one for one in messages if one["MessageId"] not in failed])
        finally:
            with self._freed:
                self._out -= 1
                self._freed.notify_all()

    def _invoke(self, messages: Sequence[Mapping[str, Any]]) -> set[str]:
        ids = [one["MessageId"] for one in messages]
        payload = json.dumps({"Records": [self._record(one) for one in messages]}).encode()
        try:
            answer = self._functions.invoke(self.mapping.function, payload)
        except Throttled:
            return set(ids)
        return failures(answer, ids, partial=self.mapping.settings.partial)

    def _delete(self, messages: Sequence[Mapping[str, Any]]) -> None:
        for start in range(0, len(messages), _RECEIVE):
            entries = [
                {"Id": str(number), "ReceiptHandle": one["ReceiptHandle"]}
                for number, one in enumerate(messages[start : start + _RECEIVE])
            ]
            self._sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)

    def _hand_back(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """The receive counts against maxReceiveCount, here as on AWS."""
        for one in messages:
            self._sqs.change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=one["ReceiptHandle"], VisibilityTimeout=0
            )

    def _record(self, message: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {
                name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()
            },
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self.mapping.source,
            "awsRegion": self._region,
        }


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    shaped: dict[str, Any] = {
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value["DataType"],
    }
    if "StringValue" in value:
        shaped["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        shaped["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return shaped


def _parsed(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record for filtering: patterns look into a body that is JSON."""
    try:
        body = json.loads(record["body"])
    except ValueError:
        body = record["body"]
    return {**record, "body": body}
