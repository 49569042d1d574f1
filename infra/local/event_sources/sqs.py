"""Lambda's poller of an SQS queue: receive, invoke, delete what succeeded."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from infra.local.clients import AwsClients
from infra.local.errors import Throttled
from infra.local.event_sources.mapping import EventSourceMapping, failed_ids
from infra.local.lambda_.service import LambdaService
from infra.local.process import ThreadSupervisor

_WAIT_S = 2
"""Seconds that one receive waits, and so the longest time until a mapping is disabled."""

_MAX_RECEIVE = 10
_DEFAULT_CONCURRENCY = 5
"""Concurrent batches without a MaximumConcurrency, as Lambda begins."""


class QueuePoller:
    """Polls the queue of one mapping, with at most MaximumConcurrency batches at a time.

    The messages of a failed or throttled batch are not deleted: they become visible after their visibility
    timeout, and move to the dead-letter queue after maxReceiveCount receives.
    """

    def __init__(
        self,
        mapping: EventSourceMapping,
        *,
        url: str,
        functions: LambdaService,
        clients: AwsClients,
        supervisor: ThreadSupervisor,
    ) -> None:
        self.mapping = mapping
        self.url = url
        self._functions = functions
        self._sqs = clients.get("sqs")
        self._region = mapping.source.split(":")[3]
        self._supervisor = supervisor
        self._in_flight = 0
        self._batch_finished = threading.Condition()

    @property
    def busy(self) -> bool:
        """Whether a batch is being processed."""
        return self._in_flight > 0

    def run(self) -> None:
        """Poll until the cloud stops."""
        while not self._supervisor.stopping.is_set():
            if not self.mapping.enabled:
                self.mapping.confirm_disabled()
                self.mapping.settings_changed.wait(1)
                self.mapping.settings_changed.clear()
            elif self._wait_for_capacity():
                self._start_batch(self._apply_filters(self._receive_batch()))

    def _wait_for_capacity(self) -> bool:
        with self._batch_finished:
            limit = self.mapping.settings.max_concurrency or _DEFAULT_CONCURRENCY
            return self._in_flight < limit or (self._batch_finished.wait(1) and self._in_flight < limit)

    def _receive_batch(self) -> list[dict[str, Any]]:
        """Receive a batch; with a batching window, until it is full or the window ends."""
        settings = self.mapping.settings
        batch = self._receive(min(settings.batch_size, _MAX_RECEIVE), _WAIT_S)
        closes = time.monotonic() + settings.batching_window_s
        while batch and len(batch) < settings.batch_size and time.monotonic() < closes:
            more = self._receive(min(settings.batch_size - len(batch), _MAX_RECEIVE), 1)
            batch.extend(more)
        return batch

    def _receive(self, max_messages: int, wait_s: int) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self._sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=max_messages,
            WaitTimeSeconds=wait_s,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages", [])
        return messages

    def _apply_filters(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Delete messages that no filter matches; return all messages if the mapping was disabled."""
        if messages and not self.mapping.enabled:
            self._return_messages(messages)
            return []
        if not self.mapping.settings.filters:
            return messages
        accepted = [
            one for one in messages if self.mapping.settings.accepts(_parse_body(self._to_record(one)))
        ]
        self._delete([one for one in messages if one not in accepted])
        return accepted

    def _start_batch(self, messages: list[dict[str, Any]]) -> None:
        if messages:
            with self._batch_finished:
                self._in_flight += 1
            self._supervisor.start_thread(
                f"batch-{self.mapping.function}", lambda: self._process_batch(messages)
            )

    def _process_batch(self, messages: list[dict[str, Any]]) -> None:
        try:
            failed = self._invoke(messages)
            self._delete([one for one in messages if one["MessageId"] not in failed])
        finally:
            with self._batch_finished:
                self._in_flight -= 1
                self._batch_finished.notify_all()

    def _invoke(self, messages: Sequence[Mapping[str, Any]]) -> set[str]:
        ids = [one["MessageId"] for one in messages]
        payload = json.dumps({"Records": [self._to_record(one) for one in messages]}).encode()
        try:
            answer = self._functions.invoke(self.mapping.function, payload)
        except Throttled:
            return set(ids)
        return failed_ids(answer, ids, partial_responses=self.mapping.settings.report_item_failures)

    def _delete(self, messages: Sequence[Mapping[str, Any]]) -> None:
        for start in range(0, len(messages), _MAX_RECEIVE):
            entries = [
                {"Id": str(number), "ReceiptHandle": one["ReceiptHandle"]}
                for number, one in enumerate(messages[start : start + _MAX_RECEIVE])
            ]
            self._sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)

    def _return_messages(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Make messages visible again; as on AWS, the receive counts."""
        for one in messages:
            self._sqs.change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=one["ReceiptHandle"], VisibilityTimeout=0
            )

    def _to_record(self, message: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {
                name: _to_record_attribute(value)
                for name, value in message.get("MessageAttributes", {}).items()
            },
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self.mapping.source,
            "awsRegion": self._region,
        }


def _to_record_attribute(value: Mapping[str, Any]) -> dict[str, Any]:
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


def _parse_body(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record for filters, which match fields of a JSON body."""
    try:
        body = json.loads(record["body"])
    except ValueError:
        body = record["body"]
    return {**record, "body": body}
