"""Port DeadLetters, on SQS: receive, send, delete. The lane is told how often a letter was sent back."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cloud.faults import faults
from vigil.drops import Envelope, read
from vigil.steady.letters import Letter, Redrive, Suspicion

REDRIVES, SUSPICION = "vigil-redrives", "vigil-suspicion"
"""Message attributes: how often the message was sent back; since which attempt which drop is suspected."""

_BATCH = 10
_EMPTY = 5
"""Empty answers in a row from a queue that says it is not, before it is left for the next time."""


class SqsDeadLetters:
    """One lane's dead-letter queue and the queue that it belongs to.

    hidden  how long a letter that was received is not handed out again
    """

    def __init__(
        self,
        client: Any,
        *,
        dead_url: str,
        lane_url: str,
        lane: str,
        bucket: str,
        hidden: timedelta = timedelta(seconds=90),
    ) -> None:
        self._client, self._dead, self._lane_url = client, dead_url, lane_url
        self._lane, self._bucket = lane, bucket
        self.hidden_s = math.ceil(hidden.total_seconds())

    def receive(self, most: int) -> Sequence[Letter]:
        """SQS asks some of its servers at a time: an empty answer is believed where the queue says so too."""
        letters: list[Letter] = []
        empty = 0
        while len(letters) < most and empty < _EMPTY:
            batch = self._receive(min(_BATCH, most - len(letters)))
            letters += batch
            empty = 0 if batch else empty + 1 if self._waiting() else _EMPTY
        return letters

    def _waiting(self) -> int:
        name = "ApproximateNumberOfMessages"
        with faults("read queue"):
            answer = self._client.get_queue_attributes(QueueUrl=self._dead, AttributeNames=[name])
        return int(answer["Attributes"][name])

    def send_back(self, deed: Redrive) -> None:
        attributes = {REDRIVES: {"DataType": "Number", "StringValue": str(deed.letter.redrives + 1)}}
        if deed.suspicion is not None:
            told = f"{deed.suspicion.attempts} {deed.suspicion.drop}"
            attributes[SUSPICION] = {"DataType": "String", "StringValue": told}
        with faults("send message back"):
            self._client.send_message(
                QueueUrl=self._lane_url,
                MessageBody=deed.letter.body,
                MessageAttributes=attributes,
                DelaySeconds=math.ceil(deed.after.total_seconds()),
            )

    def let_go(self, letter: Letter) -> None:
        """It can be received again at once."""
        with faults("let go of dead letter"):
            self._client.change_message_visibility(
                QueueUrl=self._dead, ReceiptHandle=letter.receipt, VisibilityTimeout=0
            )

    def delete(self, letter: Letter) -> None:
        with faults("delete dead letter"):
            self._client.delete_message(QueueUrl=self._dead, ReceiptHandle=letter.receipt)

    def _receive(self, most: int) -> list[Letter]:
        with faults("receive dead letters"):
            answer = self._client.receive_message(
                QueueUrl=self._dead,
                MaxNumberOfMessages=most,
                VisibilityTimeout=self.hidden_s,
                MessageSystemAttributeNames=["SentTimestamp"],
                MessageAttributeNames=[REDRIVES, SUSPICION],
            )
        return [self._letter(message) for message in answer.get("Messages", [])]

    def _letter(self, message: dict[str, Any]) -> Letter:
        sent = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
        envelope = Envelope(message["MessageId"], message["Body"], sent)
        return Letter(
            id=message["MessageId"],
            lane=self._lane,
            body=message["Body"],
            receipt=message["ReceiptHandle"],
            sent=sent,
            redrives=int(_attribute(message, REDRIVES) or 0),
            drops=tuple(read(envelope, self._bucket)),
            suspicion=_suspicion(_attribute(message, SUSPICION)),
        )


def _attribute(message: dict[str, Any], name: str) -> str:
    return str(message.get("MessageAttributes", {}).get(name, {}).get("StringValue", ""))


def _suspicion(told: str) -> Suspicion | None:
    attempts, _, drop = told.partition(" ")
    return Suspicion(drop, int(attempts)) if drop else None
