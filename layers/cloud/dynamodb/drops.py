"""Reads drops, sightings, alerts and notes of the records table as typed values."""

from collections.abc import Collection, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from cloud.dynamodb.attributes import Item, to_item
from cloud.dynamodb.erasure import ERASED_LABEL
from cloud.dynamodb.queries import END_OF_LIST, Listing, Table
from cloud.dynamodb.schema import ALERT, DROP, NOTE, SIGHTING, drop_key
from vigil.alerts.reviews import AlertState, Review
from vigil.drops.ledger import DropRecord, DropState
from vigil.drops.messages import ClipFrame, S3Object, parse_frame_key
from vigil.inference.types import Box, Status


@dataclass(frozen=True, slots=True)
class DropView:
    """One drop's record.

    list_at     position in the list of drops, newest last
    s3_object   None for an inline payload and after an erasure
    expires     Unix time at which DynamoDB deletes the row
    sightings   number of stored sightings; `found` counts all that the model detected
    size_px     width and height
    times_ms    duration of each stage
    """

    drop_id: str
    state: DropState
    lane: str
    model: str
    source: str
    occurred_at: datetime
    first_claimed_at: datetime
    list_at: str
    attempts: int
    completed_at: datetime | None = None
    expires: int | None = None
    s3_object: S3Object | None = None
    stage: str = ""
    error: str = ""
    release: str = ""
    reason: str = ""
    message: str = ""
    size_px: tuple[int, int] | None = None
    sightings: int = 0
    found: int | None = None
    alerts: int | None = None
    times_ms: Mapping[str, float] | None = None
    notes: Mapping[str, Any] | None = None

    @property
    def clip_frame(self) -> ClipFrame | None:
        """The frame of a clip that the drop shows; unknown once its object was erased."""
        return parse_frame_key(self.s3_object.key) if self.s3_object is not None else None

    @property
    def clip(self) -> str | None:
        """The drop of that clip."""
        return self.clip_frame.clip if self.clip_frame is not None else None


@dataclass(frozen=True, slots=True)
class SightingView:
    """One sighting of a drop; `number` is its index there.

    subject  the person's id or class name of a known sighting, None otherwise and after an erasure
    """

    drop_id: str
    number: int
    model: str
    source: str
    occurred_at: datetime
    list_at: str
    label: str
    status: Status
    score: float | None = None
    threshold: float | None = None
    box_px: Box | None = None
    quality: float | None = None
    quality_issues: tuple[str, ...] = ()
    tags: frozenset[str] = frozenset()
    value: float | None = None
    text: str | None = None
    row: int | None = None
    span_s: tuple[float, float] | None = None
    subject: str | None = None

    @property
    def is_erased(self) -> bool:
        """Whether the person in it has been erased."""
        return self.label == ERASED_LABEL


@dataclass(frozen=True, slots=True)
class AlertView:
    """One alert with its reviews.

    subject_id  the person's id, the id of an unknown subject, or a class name
    subject     the same for a known subject, None otherwise and after an erasure
    sighting    index of the first sighting in `drop_id`
    drops       number of drops that the alert counts
    reviewers   number of different people who must agree
    """

    alert_id: str
    rule: str
    severity: str
    status: str
    source: str
    model: str
    subject_id: str
    drop_id: str
    sighting: int
    occurred_at: datetime
    last_at: datetime
    list_at: str
    drops: int
    review: AlertState = "open"
    reviewers: int = 1
    reviews: tuple[Review, ...] = ()
    subject: str | None = None

    @property
    def is_erased(self) -> bool:
        """Whether its subject has been erased."""
        return self.subject_id == ERASED_LABEL


@dataclass(frozen=True, slots=True)
class DropNote:
    """What triage or a person did with a drop's message, and why."""

    action: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class DropDetails:
    """A drop with its sightings in their order and its notes, oldest first."""

    drop: DropView
    sightings: tuple[SightingView, ...]
    notes: tuple[DropNote, ...]


class DynamoDropReader:
    """Reads the rows that `cloud.dynamodb.ledger` writes; by key consistently, by list eventually."""

    def __init__(self, client: Any, table: str) -> None:
        self._rows, self._listing = Table(client, table), Listing(client, table)

    def find_drop(self, drop_id: str) -> DropView | None:
        row = self._get(drop_key(drop_id))
        return msgspec.convert(row, DropView) if row else None

    def find_drop_details(self, drop_id: str) -> DropDetails | None:
        """A drop with its sightings and notes, in one read."""
        rows = list(self._rows_of_drop(drop_id))
        sightings = tuple(_sighting_view(row) for row in rows if row["sk"].startswith("sighting#"))
        drops = [msgspec.convert(row, DropView) for row in rows if row["sk"] == "drop"]
        notes = tuple(_note(row) for row in rows if row["sk"].startswith("note#"))
        return DropDetails(drops[0], sightings, notes) if drops else None

    def find_alert(self, alert_id: str) -> AlertView | None:
        row = self._get(ALERT.key(alert=alert_id))
        return msgspec.convert(row, AlertView) if row else None

    def sightings(self, drop_id: str) -> tuple[SightingView, ...]:
        """A drop's sightings in their order."""
        return tuple(map(_sighting_view, self._rows_of_drop(drop_id, "sighting#")))

    def find_sighting(self, drop_id: str, number: int) -> SightingView | None:
        row = self._get(SIGHTING.key(drop=drop_id, number=number))
        return _sighting_view(row) if row else None

    def drops_of_object(self, uri: str) -> list[str]:
        """Ids of the drops of an object's versions (`s3://bucket/key`), newest first."""
        rows = self._rows.query(
            "read drops of object",
            IndexName="object",
            KeyConditionExpression="#object = :object",
            ExpressionAttributeNames={"#object": "object"},
            ExpressionAttributeValues=to_item({":object": uri}),
            ScanIndexForward=False,
        )
        return [str(row["pk"]).removeprefix("drop#") for row in rows]

    def list_drops(self, *, since: datetime, before: str = "", page_size: int = 100) -> Iterator[DropView]:
        """Drops, newest first.

        before  only rows whose `list_at` is earlier; "" begins at the newest
        """
        return (msgspec.convert(row, DropView) for row in self._list("drops", since, before, page_size))

    def list_sightings(
        self, *, since: datetime, before: str = "", page_size: int = 100
    ) -> Iterator[SightingView]:
        """Sightings, newest first; parameters as of `list_drops`."""
        return map(_sighting_view, self._list("sightings", since, before, page_size))

    def list_alerts(self, *, since: datetime, before: str = "", page_size: int = 100) -> Iterator[AlertView]:
        """Alerts, newest first; parameters as of `list_drops`."""
        return (msgspec.convert(row, AlertView) for row in self._list("alerts", since, before, page_size))

    def sightings_of_subject(
        self, subject: str, *, before: str = "", page_size: int = 100
    ) -> Iterator[SightingView]:
        """All sightings of a known subject, newest first."""
        rows = self._listing.for_subject(subject, before=before or END_OF_LIST, page_size=page_size)
        return (_sighting_view(row) for row in rows if row["sk"].startswith("sighting#"))

    def _list(self, kind: str, since: datetime, before: str, page_size: int) -> Iterator[dict[str, Any]]:
        return self._listing.newest(kind, since=since, before=before or END_OF_LIST, page_size=page_size)

    def _rows_of_drop(self, drop_id: str, prefix: str = "") -> Iterator[dict[str, Any]]:
        return self._rows.partition(DROP.partition(drop=drop_id), "read drop", sk_prefix=prefix)

    def _get(self, key: Item) -> dict[str, Any] | None:
        return self._rows.get(key, "read record")


def _sighting_view(row: Mapping[str, Any]) -> SightingView:
    return msgspec.convert({**row, "number": int(row["sk"].removeprefix("sighting#"))}, SightingView)


def _note(row: Mapping[str, Any]) -> DropNote:
    at = datetime.fromisoformat(row["sk"].removeprefix("note#"))
    return DropNote(row["action_taken"], row["reason"], at)


_RECORD_PROJECTION = (
    "drop_id, #state, attempts, #until, stage, #error, #release, s3_object, model, #source, dependency, "
    "expires"
)
_RECORD_NAMES = {"#state": "state", "#until": "until", "#error": "error", "#release": "release"}
_RECORD_NAMES |= {"#source": "source"}


class DynamoDropRecords:
    """Reads many ledger records at once and adds notes to drops.

    Rows: drop#<id> drop, as the ledger writes it; drop#<id> note#<time>.
    """

    def __init__(self, client: Any, table: str, *, retention: timedelta) -> None:
        self._rows, self._retention, self._consistent = Table(client, table), retention, True

    def eventually_consistent(self) -> "DynamoDropRecords":
        """The same at half the price, for who reads records that have not changed for minutes."""
        records = copy(self)
        records._consistent = False
        return records

    def read_records(self, drop_ids: Collection[str]) -> Mapping[str, DropRecord]:
        keys = [drop_key(drop) for drop in sorted(drop_ids)]
        projection = {"ProjectionExpression": _RECORD_PROJECTION, "ExpressionAttributeNames": _RECORD_NAMES}
        rows = self._rows.batch_get(keys, "read records", consistent=self._consistent, **projection)
        return {row["drop_id"]: _record_from_row(row) for row in rows}

    def add_note(self, drop: str, *, action: str, reason: str, now: datetime) -> None:
        row = {
            "drop_id": drop,
            "action_taken": action,
            "reason": reason,
            "expires": int((now + self._retention).timestamp()),
        }
        self._rows.put(NOTE.key(drop=drop, at=now.isoformat()) | to_item(row), "add note")


def _record_from_row(row: Mapping[str, Any]) -> DropRecord:
    return DropRecord(
        drop_id=row["drop_id"],
        state=row["state"],
        attempts=row["attempts"],
        lease_until=datetime.fromtimestamp(row["until"], UTC),
        stage=row.get("stage", ""),
        error=row.get("error", ""),
        release=row.get("release", ""),
        dependency=row.get("dependency", ""),
        s3_object=S3Object(**row["s3_object"]) if "s3_object" in row else None,
        model=row.get("model", ""),
        source=row.get("source", ""),
    )
