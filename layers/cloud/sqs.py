"""SQS queues: of the lanes, with their dead-letter queues, and of events that were not published."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cloud.errors import translate_errors
from cloud.s3_events import QueueMessage, parse_message
from vigil.errors import Transient

if TYPE_CHECKING:  # the lanes handle no dead letters
    from vigil.reliability.dead_letters import DeadLetter, Redrive, SuspectDrop

REDRIVE_COUNT_ATTRIBUTE, SUSPECT_ATTRIBUTE = "vigil-redrives", "vigil-suspect-drop"
"""Message attributes: the number of redrives; the suspect drop and its attempts before the redrive."""

_MAX_BATCH = 10
"""Messages that SQS sends or receives in one call."""

_MAX_EMPTY_RECEIVES = 5
"""Empty responses in a row after which a queue that is not empty is left for the next run."""


class SqsQueue:
    """A queue by its URL."""

    def __init__(self, client: Any, url: str) -> None:
        self._client, self._url = client, url

    @property
    def name(self) -> str:
        return self._url.rsplit("/", 1)[-1]

    def set_visibility_timeout(self, receipt: str, timeout_s: int) -> None:
        """Hide a message for this time from now on, at most 12 hours; 0 shows it at once."""
        with translate_errors("queues", "change message visibility"):
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=timeout_s
            )

    def send_messages(self, messages: Sequence[str]) -> None:
        """Send each message at least once. Raises Transient if SQS did not take all of them."""
        for start in range(0, len(messages), _MAX_BATCH):
            batch = messages[start : start + _MAX_BATCH]
            entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(batch)]
            with translate_errors("queues", "send messages"):
                answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            if answer.get("Failed"):
                code = str(answer["Failed"][0].get("Code"))
                raise Transient(code, dependency="queues", operation="send messages")

    def receive_messages(self, limit: int, visibility_timeout_s: int, **request: Any) -> list[dict[str, Any]]:
        """At most ten messages, hidden from others for this time."""
        with translate_errors("queues", "receive messages"):
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(limit, _MAX_BATCH),
                VisibilityTimeout=visibility_timeout_s,
                **request,
            )
        return list(answer.get("Messages", ()))

    def delete_message(self, receipt: str) -> None:
        with translate_errors("queues", "delete message"):
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=receipt)

    def visible_messages(self) -> int:
        """About how many messages can be received now."""
        return self.message_counts()[0]

    def message_counts(self) -> tuple[int, int]:
        """About how many messages can be received now, and how many are in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        with translate_errors("queues", "read queue size"):
            answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)
        visible, in_flight = (int(answer["Attributes"][name]) for name in names)
        return visible, in_flight


class SqsDeadLetters:
    """One lane's dead-letter queue and the queue that it belongs to.

    visibility_timeout  how long a received message is hidden from others
    """

    def __init__(
        self,
        client: Any,
        *,
        dead_letter_url: str,
        lane_queue_url: str,
        lane: str,
        bucket: str,
        visibility_timeout: timedelta = timedelta(seconds=90),
    ) -> None:
        self._client, self._lane_queue_url = client, lane_queue_url
        self._queue, self._lane, self._bucket = SqsQueue(client, dead_letter_url), lane, bucket
        self.visibility_timeout_s = math.ceil(visibility_timeout.total_seconds())

    def receive(self, max_messages: int) -> Sequence[DeadLetter]:
        """SQS asks only some of its servers: an empty response ends the loop only if the queue is empty."""
        dead_letters: list[DeadLetter] = []
        empty = 0
        while len(dead_letters) < max_messages and empty < _MAX_EMPTY_RECEIVES:
            batch = self._queue.receive_messages(
                max_messages - len(dead_letters),
                self.visibility_timeout_s,
                MessageSystemAttributeNames=["SentTimestamp"],
                MessageAttributeNames=[REDRIVE_COUNT_ATTRIBUTE, SUSPECT_ATTRIBUTE],
            )
            dead_letters += map(self._dead_letter_from_message, batch)
            empty = 0 if batch else empty + 1 if self._queue.visible_messages() else _MAX_EMPTY_RECEIVES
        return dead_letters

    def redrive(self, decision: Redrive) -> None:
        """Send a message back to its lane with one redrive more."""
        redrives = str(decision.dead_letter.redrives + 1)
        attributes = {REDRIVE_COUNT_ATTRIBUTE: {"DataType": "Number", "StringValue": redrives}}
        if decision.suspect is not None:
            suspect_text = f"{decision.suspect.attempts_before} {decision.suspect.drop_id}"
            attributes[SUSPECT_ATTRIBUTE] = {"DataType": "String", "StringValue": suspect_text}
        with translate_errors("queues", "redrive message"):
            self._client.send_message(
                QueueUrl=self._lane_queue_url,
                MessageBody=decision.dead_letter.body,
                MessageAttributes=attributes,
                DelaySeconds=math.ceil(decision.delay.total_seconds()),
            )

    def delete(self, dead_letter: DeadLetter) -> None:
        self._queue.delete_message(dead_letter.receipt_handle)

    def _dead_letter_from_message(self, message: dict[str, Any]) -> DeadLetter:
        from vigil.reliability.dead_letters import DeadLetter  # noqa: PLC0415

        sent = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
        queue_message = QueueMessage(message["MessageId"], message["Body"], sent)
        return DeadLetter(
            id=message["MessageId"],
            lane=self._lane,
            body=message["Body"],
            receipt_handle=message["ReceiptHandle"],
            sent_at=sent,
            redrives=int(_message_attribute(message, REDRIVE_COUNT_ATTRIBUTE) or 0),
            drops=tuple(parse_message(queue_message, self._bucket)),
            suspect=_parse_suspect(_message_attribute(message, SUSPECT_ATTRIBUTE)),
        )


def _message_attribute(message: dict[str, Any], name: str) -> str:
    return str(message.get("MessageAttributes", {}).get(name, {}).get("StringValue", ""))


def _parse_suspect(text: str) -> SuspectDrop | None:
    from vigil.reliability.dead_letters import SuspectDrop  # noqa: PLC0415

    attempts, _, drop = text.partition(" ")
    return SuspectDrop(drop, int(attempts)) if drop else None
