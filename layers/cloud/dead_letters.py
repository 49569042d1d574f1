"""The dead-letter queues of the lanes and of the publish function."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cloud.dynamodb.attributes import from_item, to_item
from cloud.dynamodb.queries import END_OF_LIST, Listing, query_all
from cloud.dynamodb.stream import alert_event, completed_event, transition_event
from cloud.errors import translate_errors
from vigil.drops.events import AlertRaised, DropCompleted, ReleaseStageChanged, UnpublishedInterval
from vigil.drops.messages import QueueMessage, parse_message
from vigil.reliability.dead_letters import DeadLetter, Redrive, SuspectDrop

REDRIVE_COUNT_ATTRIBUTE, SUSPECT_ATTRIBUTE = "vigil-redrives", "vigil-suspect-drop"
"""Message attributes: the number of redrives; the suspect drop and its attempts before the redrive."""

_RECEIVE_BATCH = 10


_MAX_EMPTY_RECEIVES = 5
"""Empty answers in a row from a queue that says it is not, before it is left for the next time."""


class SqsDeadLetters:
    """One lane's dead-letter queue and the queue that it belongs to.

    hidden  how long a letter that was received is not handed out again
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
        self._client, self._dead_letter_url, self._lane_queue_url = client, dead_letter_url, lane_queue_url
        self._lane, self._bucket = lane, bucket
        self.visibility_timeout_s = math.ceil(visibility_timeout.total_seconds())

    def receive(self, max_messages: int) -> Sequence[DeadLetter]:
        """SQS asks some of its servers at a time: an empty answer is believed where the queue says so too."""
        dead_letters: list[DeadLetter] = []
        empty = 0
        while len(dead_letters) < max_messages and empty < _MAX_EMPTY_RECEIVES:
            batch = self._receive(min(_RECEIVE_BATCH, max_messages - len(dead_letters)))
            dead_letters += batch
            empty = 0 if batch else empty + 1 if self._visible_messages() else _MAX_EMPTY_RECEIVES
        return dead_letters

    def _visible_messages(self) -> int:
        name = "ApproximateNumberOfMessages"
        with translate_errors("queues", "read queue size"):
            answer = self._client.get_queue_attributes(QueueUrl=self._dead_letter_url, AttributeNames=[name])
        return int(answer["Attributes"][name])

    def redrive(self, decision: Redrive) -> None:
        attributes = {
            REDRIVE_COUNT_ATTRIBUTE: {
                "DataType": "Number",
                "StringValue": str(decision.dead_letter.redrives + 1),
            }
        }
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

    def make_visible(self, dead_letter: DeadLetter) -> None:
        """It can be received again at once."""
        with translate_errors("queues", "release dead letter"):
            self._client.change_message_visibility(
                QueueUrl=self._dead_letter_url, ReceiptHandle=dead_letter.receipt_handle, VisibilityTimeout=0
            )

    def delete(self, dead_letter: DeadLetter) -> None:
        with translate_errors("queues", "delete dead letter"):
            self._client.delete_message(
                QueueUrl=self._dead_letter_url, ReceiptHandle=dead_letter.receipt_handle
            )

    def _receive(self, limit: int) -> list[DeadLetter]:
        with translate_errors("queues", "receive dead letters"):
            answer = self._client.receive_message(
                QueueUrl=self._dead_letter_url,
                MaxNumberOfMessages=limit,
                VisibilityTimeout=self.visibility_timeout_s,
                MessageSystemAttributeNames=["SentTimestamp"],
                MessageAttributeNames=[REDRIVE_COUNT_ATTRIBUTE, SUSPECT_ATTRIBUTE],
            )
        return [self._dead_letter_from_message(message) for message in answer.get("Messages", [])]

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


_CLOCK_TOLERANCE = timedelta(seconds=6)
"""The stream tells times in whole seconds, and the clock of whoever wrote a row may be off by a few."""


_MAX_PROCESSING_TIME = timedelta(days=1)
"""From a drop's first claim, by which it is listed, to its end."""


class SqsUnpublishedQueue:
    """Read from the rows, not from the stream: that forgets after a day."""

    def __init__(self, sqs: Any, url: str, *, dynamodb: Any, table: str) -> None:
        self._sqs, self._url, self._listing = sqs, url, Listing(dynamodb, table)
        self._dynamodb, self._table = dynamodb, table

    def receive(self) -> Sequence[UnpublishedInterval]:
        with translate_errors("queues", "receive unpublished interval"):
            answer = self._sqs.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=10, VisibilityTimeout=90
            )
        return [_interval_from_message(message) for message in answer.get("Messages", ())]

    def facts_in(
        self, interval: UnpublishedInterval
    ) -> Iterator[DropCompleted | ReleaseStageChanged | AlertRaised]:
        for row in self._listed_rows("drops", interval, interval.since - _MAX_PROCESSING_TIME):
            if (
                "completed_at" in row
                and interval.since <= datetime.fromisoformat(row["completed_at"]) <= interval.until
            ):
                yield completed_event(row)
        for row in self._listed_rows("alerts", interval, interval.since):
            yield alert_event(row)
        for row in self._stage_transitions():
            if interval.since <= datetime.fromisoformat(row["since"]) <= interval.until:
                yield transition_event(row)

    def delete(self, interval: UnpublishedInterval) -> None:
        with translate_errors("queues", "delete unpublished interval"):
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=interval.receipt)

    def _listed_rows(self, kind: str, gap: UnpublishedInterval, since: datetime) -> Iterator[dict[str, Any]]:
        return self._listing.newest(kind, since=since, before=gap.until.isoformat() + END_OF_LIST)

    def _stage_transitions(self) -> Iterator[dict[str, Any]]:
        """Every release's row as it was after each of its steps."""
        for model in self._query_partition("releases"):
            for release_row in self._query_partition(f"releases#{model['sk']}"):
                yield from _rows_by_transition(release_row)

    def _query_partition(self, pk: str) -> Iterator[dict[str, Any]]:
        query = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": to_item({":pk": pk})}
        return map(
            from_item,
            query_all(
                self._dynamodb,
                dependency="records",
                operation="read releases",
                TableName=self._table,
                **query,
            ),
        )


def _rows_by_transition(release_row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    history = release_row["history"]
    if not history:
        yield dict(release_row)
    for number, step in enumerate(history, start=1):
        yield {**release_row, "history": history[:number], "stage": step["stage"], "since": step["at"]}


def _interval_from_message(message: dict[str, Any]) -> UnpublishedInterval:
    batch = json.loads(message["Body"])["DDBStreamBatchInfo"]
    first, last = (
        datetime.fromisoformat(batch[f"approximateArrivalOf{which}Record"].replace("Z", "+00:00"))
        for which in ("First", "Last")
    )
    return UnpublishedInterval(first - _CLOCK_TOLERANCE, last + _CLOCK_TOLERANCE, message["ReceiptHandle"])
