"""Port Gaps: the queue of stream records that were not published, and the table's rows of that time."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cloud.faults import faults
from cloud.items import fields, item
from cloud.listing import LAST, Listing
from cloud.outbox import ended, moved, raised
from cloud.pages import every
from vigil.flow.announce import Ended, Moved, Raised
from vigil.flow.retell import Gap

_ROUNDED = timedelta(seconds=6)
"""The stream tells times in whole seconds, and the clock of whoever wrote a row may be off by a few."""

_LONGEST = timedelta(days=1)
"""From a drop's first claim, by which it is listed, to its end."""


class SqsGaps:
    """Read from the rows, not from the stream: that forgets after a day."""

    def __init__(self, sqs: Any, url: str, *, dynamodb: Any, table: str) -> None:
        self._sqs, self._url, self._listing = sqs, url, Listing(dynamodb, table)
        self._dynamodb, self._table = dynamodb, table

    def receive(self) -> Sequence[Gap]:
        with faults("receive untold"):
            answer = self._sqs.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=10, VisibilityTimeout=90
            )
        return [_gap(message) for message in answer.get("Messages", ())]

    def facts(self, gap: Gap) -> Iterator[Ended | Moved | Raised]:
        for row in self._listed("drops", gap, gap.since - _LONGEST):
            if "settled_at" in row and gap.since <= datetime.fromisoformat(row["settled_at"]) <= gap.until:
                yield ended(row)
        for row in self._listed("alerts", gap, gap.since):
            yield raised(row)
        for row in self._moves():
            if gap.since <= datetime.fromisoformat(row["since"]) <= gap.until:
                yield moved(row)

    def close(self, gap: Gap) -> None:
        with faults("delete untold"):
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=gap.receipt)

    def _listed(self, kind: str, gap: Gap, since: datetime) -> Iterator[dict[str, Any]]:
        return self._listing.newest(kind, since=since, before=gap.until.isoformat() + LAST)

    def _moves(self) -> Iterator[dict[str, Any]]:
        """Every release's row as it was after each of its steps."""
        for model in self._rows("releases"):
            for life in self._rows(f"releases#{model['sk']}"):
                yield from _steps(life)

    def _rows(self, pk: str) -> Iterator[dict[str, Any]]:
        query = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": item({":pk": pk})}
        return map(fields, every(self._dynamodb, doing="read releases", TableName=self._table, **query))


def _steps(life: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    history = life["history"]
    if not history:
        yield dict(life)
    for number, step in enumerate(history, start=1):
        yield {**life, "history": history[:number], "stage": step["stage"], "since": step["at"]}


def _gap(message: dict[str, Any]) -> Gap:
    batch = json.loads(message["Body"])["DDBStreamBatchInfo"]
    first, last = (
        datetime.fromisoformat(batch[f"approximateArrivalOf{which}Record"].replace("Z", "+00:00"))
        for which in ("First", "Last")
    )
    return Gap(first - _ROUNDED, last + _ROUNDED, message["ReceiptHandle"])
