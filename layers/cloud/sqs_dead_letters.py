"""The dead-letter queues of the lanes; the lanes themselves do not load this module."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cloud.errors import translate_errors
from cloud.s3_events import QueueMessage, parse_message
from cloud.sqs import REDRIVE_COUNT_ATTRIBUTE, SUSPECT_ATTRIBUTE, SqsQueue
from vigil.reliability.dead_letters import DeadLetter, Redrive, SuspectDrop

_MAX_EMPTY_RECEIVES = 5
"""Empty responses in a row after which a queue that is not empty is left for the next run."""


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
    attempts, _, drop = text.partition(" ")
    return SuspectDrop(drop, int(attempts)) if drop else None
