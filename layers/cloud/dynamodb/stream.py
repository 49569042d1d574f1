"""Converts rows of the records table to published events: from its stream, or again after a failure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from heapq import merge
from operator import itemgetter
from typing import Any

from cloud.dynamodb.attributes import from_item
from cloud.dynamodb.queries import Listing, Table
from cloud.dynamodb.schema import POINTERS, RELEASE
from cloud.dynamodb.state import DynamoStateStore
from cloud.sqs import SqsQueue
from vigil.drops.events import AlertRaised, DropCompleted, ReleaseStageChanged, UnpublishedInterval

_CLOCK_TOLERANCE = timedelta(seconds=6)
"""The stream has times in whole seconds, and clocks of writers may differ by a few."""

_POSITIONS = "unpublished"
"""The name of the state."""

Fact = DropCompleted | ReleaseStageChanged | AlertRaised

_TERMINAL_STATES = ("done", "rejected", "quarantined")


def events_from_stream(
    event: Mapping[str, Any],
) -> Iterator[tuple[str, DropCompleted | ReleaseStageChanged | AlertRaised]]:
    """(sequence number, event) of each stream record that is to be published.

    These are a drop whose state becomes final, a new alert, and a release whose stage changes. Later changes
    of such rows (a count, a note, a review) are not published.
    """
    for record in event["Records"]:
        change = record["dynamodb"]
        new, old = from_item(change.get("NewImage", {})), from_item(change.get("OldImage", {}))
        sequence_number = str(change["SequenceNumber"])
        if (
            new.get("sk") == "drop"
            and new.get("state") in _TERMINAL_STATES
            and old.get("state") != new["state"]
        ):
            yield sequence_number, completed_event(new)
        elif new.get("sk") == "alert" and not old:
            yield sequence_number, alert_event(new)
        elif str(new.get("sk", "")).startswith("release#") and old.get("stage") != new["stage"]:
            yield sequence_number, transition_event(new)


def completed_event(row: Mapping[str, Any]) -> DropCompleted:
    return DropCompleted(
        drop=row["drop_id"],
        state=row["state"],
        model=row["model"],
        source=row["source"],
        reason=row.get("reason", ""),
        release=row.get("release", ""),
        sightings=row.get("sightings", 0),
        alerts=row.get("alerts", 0),
        occurred_at=datetime.fromisoformat(row["completed_at"]),
        object_ref=row.get("s3_object", {}),
    )


def alert_event(row: Mapping[str, Any]) -> AlertRaised:
    """The event of an alert's row as it was inserted."""
    return AlertRaised(
        alert=row["alert_id"],
        rule=row["rule"],
        severity=row["severity"],
        status=row["status"],
        source=row["source"],
        model=row["model"],
        drop=row["drop_id"],
        occurred_at=datetime.fromisoformat(row["occurred_at"]),
    )


def transition_event(row: Mapping[str, Any]) -> ReleaseStageChanged:
    """The event of the last stage change in a release's row."""
    transition: Mapping[str, Any] = (
        row["history"][-1] if row["history"] else {"step": "register", "reasons": ()}
    )
    return ReleaseStageChanged(
        model=row["model"],
        release=row["release"],
        stage=row["stage"],
        step=transition["step"],
        reasons=tuple(transition["reasons"]),
        sequence=len(row["history"]),
        data=row.get("data", ""),
        parent=row.get("parent", ""),
        occurred_at=datetime.fromisoformat(row["since"]),
    )


class SqsUnpublishedQueue:
    """Reads events again from the rows, because the stream deletes its records after a day."""

    def __init__(self, sqs: Any, url: str, *, dynamodb: Any, table: str) -> None:
        self._queue = SqsQueue(sqs, url)
        self._rows, self._listing = Table(dynamodb, table), Listing(dynamodb, table)
        self._states = DynamoStateStore(dynamodb, table)

    def receive(self) -> Sequence[UnpublishedInterval]:
        positions = self._positions()
        return [
            _interval_from_message(one, positions.get(one["MessageId"]))
            for one in self._queue.receive_messages(10, 90)
        ]

    def facts_in(self, interval: UnpublishedInterval) -> Iterator[tuple[datetime, Fact]]:
        since = max(interval.since, interval.position or interval.since)
        drops = self._listing.completed_drops(since=since, until=interval.until)
        alerts = self._listing.oldest("alerts", since=since, until=interval.until)
        changes = self._stage_transitions()
        return merge(
            ((_time(row["completed_at"]), completed_event(row)) for row in drops),
            ((_time(row["list_at"]), alert_event(row)) for row in alerts),
            sorted(
                (
                    (_time(row["since"]), transition_event(row))
                    for row in changes
                    if _is_within(row["since"], interval)
                ),
                key=itemgetter(0),
            ),
            key=itemgetter(0),
        )

    def save_position(self, interval: UnpublishedInterval, position: datetime) -> None:
        self._states.put(_POSITIONS, {**self._positions(), interval.id: position.isoformat()})

    def delete(self, interval: UnpublishedInterval) -> None:
        self._queue.delete_message(interval.receipt)
        positions = self._positions()
        if positions.pop(interval.id, None):
            self._states.put(_POSITIONS, positions)

    def _positions(self) -> dict[str, str]:
        """How far the events of each interval that took more than a run were published."""
        return dict(self._states.get(_POSITIONS) or {})

    def _stage_transitions(self) -> Iterator[dict[str, Any]]:
        """The row of every release as it was after each of its transitions."""
        for model in self._rows.partition(POINTERS.partition(), "read releases"):
            for row in self._rows.partition(RELEASE.partition(model=model["sk"]), "read releases"):
                if not row["history"]:
                    yield row
                for number, step in enumerate(row["history"], start=1):
                    history = row["history"][:number]
                    yield {**row, "history": history, "stage": step["stage"], "since": step["at"]}


def _is_within(text: str, interval: UnpublishedInterval) -> bool:
    return interval.since <= datetime.fromisoformat(text) <= interval.until


def _time(text: str) -> datetime:
    """A time, also at the beginning of a position in a list."""
    return datetime.fromisoformat(text.partition("#")[0])


def _interval_from_message(message: Mapping[str, Any], position: str | None) -> UnpublishedInterval:
    batch = json.loads(message["Body"])["DDBStreamBatchInfo"]
    first, last = (
        datetime.fromisoformat(batch[f"approximateArrivalOf{which}Record"].replace("Z", "+00:00"))
        for which in ("First", "Last")
    )
    return UnpublishedInterval(
        first - _CLOCK_TOLERANCE,
        last + _CLOCK_TOLERANCE,
        message["ReceiptHandle"],
        message["MessageId"],
        _time(position) if position else None,
    )
