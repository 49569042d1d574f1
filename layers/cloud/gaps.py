"""Port Gaps: the queue of stream records that were not published, and the table's rows of that time."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from cloud.faults import faults
from cloud.listing import Listing
from cloud.outbox import ended, raised
from vigil.flow.announce import Ended, Raised
from vigil.flow.retell import Gap

_ROUNDED = timedelta(seconds=1)
"""The stream tells times in whole seconds."""

_LONGEST = timedelta(days=1)
"""From a drop's first claim, by which it is listed, to its end."""


class SqsGaps:
    """Read from the rows, not from the stream: that forgets after a day."""

    def __init__(self, sqs: Any, url: str, *, dynamodb: Any, table: str) -> None:
        self._sqs, self._url, self._listing = sqs, url, Listing(dynamodb, table)

    def receive(self) -> Sequence[Gap]:
        with faults("receive untold"):
            answer = self._sqs.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=10, VisibilityTimeout=90
            )
        return [_gap(message) for message in answer.get("Messages", ())]

    def facts(self, gap: Gap) -> Iterator[Ended | Raised]:
        for row in self._listed("drops", gap, gap.since - _LONGEST):
            if "settled_at" in row and gap.since <= datetime.fromisoformat(row["settled_at"]) <= gap.until:
                yield ended(row)
        for row in self._listed("alerts", gap, gap.since):
            yield raised(row)

    def close(self, gap: Gap) -> None:
        with faults("delete untold"):
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=gap.receipt)

    def _listed(self, kind: str, gap: Gap, since: datetime) -> Iterator[dict[str, Any]]:
        days = (gap.until.date() - since.date()).days + 1
        rows = self._listing.newest(kind, today=gap.until.date(), days=days)
        recent = takewhile(lambda row: str(row["list_at"]) >= since.isoformat(), rows)
        return (row for row in recent if str(row["list_at"]).split("#")[0] <= gap.until.isoformat())


def _gap(message: dict[str, Any]) -> Gap:
    batch = json.loads(message["Body"])["DDBStreamBatchInfo"]
    first, last = (
        datetime.fromisoformat(batch[f"approximateArrivalOf{which}Record"].replace("Z", "+00:00"))
        for which in ("First", "Last")
    )
    return Gap(first - _ROUNDED, last + 2 * _ROUNDED, message["ReceiptHandle"])
