"""The bucket against the ledger: which objects have no end yet, why, and the messages that bring them one."""

import json
from collections import Counter
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, Protocol
from urllib.parse import quote_plus

from vigil.drops.ledger import MAX_LEASE, DropRecord, DropRecordReader
from vigil.drops.messages import (
    Drop,
    InvalidMessage,
    QueueMessage,
    S3Object,
    parse_message,
    parse_object_key,
)
from vigil.drops.ports import Clock
from vigil.errors import Rejected

MissingReason = Literal["unannounced", "lease-expired", "stuck-lease"]

BULK_PREFIX = "bulk/"
"""Keys of objects whose own events go to the bulk lane."""


@dataclass(frozen=True, slots=True)
class ListedObject:
    """One object version as the bucket lists it; `at` is when it was stored."""

    s3_object: S3Object
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class MissingOutcome:
    """An object without an end: what it lacks, and the message that makes it a drop again."""

    drop: Drop | InvalidMessage
    reason: MissingReason
    message: str


@dataclass(frozen=True, slots=True)
class ReconcilePolicy:
    """How long something may take before it is called missing.

    young    an object's event may be on its way for so long
    quiet    a claim's lease may have ended so long ago: its message waits to be tried again
    longest  what was announced again may wait so long at most before it is announced once more
    remembers  of objects older than this the ledger has forgotten: that they are not in it says nothing
    """

    event_grace: timedelta = timedelta(minutes=15)
    lease_grace: timedelta = timedelta(hours=1)
    max_wait: timedelta = timedelta(days=1)
    retention: timedelta = timedelta(days=90)

    def wait_after(self, announcements: int) -> timedelta:
        """How long after so many announcements the next may follow: its message may wait in the lane."""
        return min(self.lease_grace * (1 << min(max(announcements - 1, 0), 20)), self.max_wait)


@dataclass(frozen=True, slots=True)
class Reannouncement:
    """When a drop was last announced again, and how often so far."""

    announced_at: datetime
    announcements: int


@dataclass(frozen=True, slots=True)
class Completeness:
    """How many of the objects that could have an end have one; pages add up.

    objects  old enough to be expected in the ledger
    young    too new to be judged
    """

    objects: int = 0
    completed: int = 0
    too_recent: int = 0
    missing: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: "Completeness") -> "Completeness":
        return Completeness(
            self.objects + other.objects,
            self.completed + other.completed,
            self.too_recent + other.too_recent,
            dict(Counter(self.missing) + Counter(other.missing)),
        )

    @property
    def ratio(self) -> float:
        """Objects with an end / objects, 0 to 1."""
        return self.completed / self.objects if self.objects else 1.0


def to_drop(listed: ListedObject, model: str | None = None) -> tuple[Drop | InvalidMessage, str]:
    """The drop that an object is, and a message that announces it: S3's own, or a job for another model.

    The drop is read from the message itself, so that both always have one id.
    """
    body = s3_notification(listed) if model is None else backfill_message(listed, model)
    (drop,) = parse_message(QueueMessage("", body, listed.stored_at), listed.s3_object.bucket)
    return drop, body


def find_missing(
    page: Iterable[tuple[ListedObject, Drop | InvalidMessage, str]],
    records: Mapping[str, DropRecord],
    *,
    now: datetime,
    policy: ReconcilePolicy,
) -> tuple[list[MissingOutcome], Completeness]:
    """What one page of the listing lacks. `page` holds each object with what `as_drop` made of it."""
    missing, completed, too_recent, objects = [], 0, 0, 0
    for listed, drop, message in page:
        record, age = records.get(drop.id), now - listed.stored_at
        if record is None and age >= policy.retention:
            continue
        if record is None and age < policy.event_grace:
            too_recent += 1
            continue
        objects += 1
        if record is not None and record.is_terminal:
            completed += 1
            continue
        reason = missing_reason(record, now, policy)
        if reason is not None:
            missing.append(MissingOutcome(drop, reason, message))
    return missing, Completeness(objects, completed, too_recent, dict(Counter(one.reason for one in missing)))


def due_announcements(
    missing: Iterable[MissingOutcome],
    announced: Mapping[str, Reannouncement],
    *,
    now: datetime,
    policy: ReconcilePolicy,
    is_bulk_busy: bool,
) -> list[MissingOutcome]:
    """Those to be announced now, so that a lane that is behind is not buried under what it has already.

    One that was announced waits for an hour before it is again, then for two, four ... While the bulk lane
    is busy its own objects are not missed at all: their events may be among what waits there.
    """
    return [
        one
        for one in missing
        if not (is_bulk_busy and one.reason == "unannounced" and _is_bulk(one.drop))
        and (
            one.drop.id not in announced
            or now
            >= announced[one.drop.id].announced_at + policy.wait_after(announced[one.drop.id].announcements)
        )
    ]


def routable_objects(page: Sequence[ListedObject]) -> list[ListedObject]:
    """Those whose key names a model and a source: the others were never for a model to see."""
    return [listed for listed in page if _is_routable(listed.s3_object.key)]


def s3_notification(listed: ListedObject) -> str:
    """The notification that S3 would have sent: the ledger cannot tell one from the other."""
    s3_object = listed.s3_object
    stored = {"key": quote_plus(s3_object.key), "versionId": s3_object.version}
    record = {
        "eventSource": "vigil:reconcile",
        "eventTime": listed.stored_at.isoformat(),
        "s3": {"bucket": {"name": s3_object.bucket}, "object": stored},
    }
    return json.dumps({"Records": [record]})


def backfill_message(listed: ListedObject, model: str) -> str:
    """A job that shows an old object to another model: a drop of its own. Raises UnroutableKey."""
    s3_object = listed.s3_object
    _, source = parse_object_key(s3_object.key)
    location = {"bucket": s3_object.bucket, "key": s3_object.key, "version_id": s3_object.version}
    return json.dumps({"model": model, "source": source, "at": listed.stored_at.isoformat(), "s3": location})


def missing_reason(record: DropRecord | None, now: datetime, policy: ReconcilePolicy) -> MissingReason | None:
    """What keeps a drop from its end; None where it has it, or somebody is at it."""
    if record is None:
        return "unannounced"
    if record.is_terminal:
        return None
    if record.lease_until > now + MAX_LEASE:
        return "stuck-lease"
    if now - record.lease_until > policy.lease_grace:
        return "lease-expired"
    return None


def _is_bulk(drop: Drop | InvalidMessage) -> bool:
    return isinstance(drop.payload, S3Object) and drop.payload.key.startswith(BULK_PREFIX)


def _is_routable(key: str) -> bool:
    try:
        parse_object_key(key)
    except Rejected:
        return False
    return True


# MERGED: The bucket walked page by page against the ledger; what has no end is announced again, in bulk.

START_CURSOR = ""
"""The cursor before the first page, and after the last."""


BULK_BACKLOG_LIMIT = 1000
"""With more messages waiting, the bulk lane is busy."""


class ObjectListing(Protocol):
    """The bucket's object versions. Raises Transient."""

    def snapshot_id(self) -> str:
        """What is on the shelves, by name: of one name, all walks see the same; "" where each may differ."""

    def list_page(self, cursor: str) -> tuple[Sequence[ListedObject], str]:
        """The page at a cursor, and the cursor of the next."""

    def exists(self, item: S3Object) -> bool:
        """Whether one that was on a page is still there."""


class BulkQueue(Protocol):
    """The bulk lane's way in. Raises Transient."""

    def send_messages(self, messages: Sequence[str]) -> None: ...
    def visible_messages(self) -> int: ...


class ReannouncementStore(Protocol):
    """What was announced again, when and how often. Raises Transient."""

    def find_reannouncements(self, drops: Collection[str]) -> Mapping[str, Reannouncement]: ...
    def save_reannouncements(self, reannouncements: Mapping[str, Reannouncement]) -> None: ...


@dataclass(frozen=True, slots=True)
class ReconcilePorts:
    """All that a walk needs; `in_time` is false when the invocation should come to its end."""

    objects: ObjectListing
    records: DropRecordReader
    bulk_queue: BulkQueue
    reannouncements: ReannouncementStore
    clock: Clock
    has_time: Callable[[], bool]
    policy: ReconcilePolicy = field(default_factory=ReconcilePolicy)


@dataclass(frozen=True, slots=True)
class ReconcileProgress:
    """Where a walk is. `whole` is what the last one came to that saw the whole bucket, in which edition."""

    cursor: str = START_CURSOR
    partial: Completeness = field(default_factory=Completeness)
    last_complete: Completeness | None = None
    reannounced: int = 0
    snapshot_id: str = ""

    @property
    def is_complete(self) -> bool:
        completeness = self.last_complete
        return (
            completeness is not None
            and completeness.completed == completeness.objects
            and not completeness.too_recent
        )


def reconcile_bucket(
    progress: ReconcileProgress, ports: ReconcilePorts, *, max_messages: int
) -> ReconcileProgress:
    """Go on where the last run stopped, until the bucket's end, the time's, or so many announcements.

    A page is announced before that is noted: a crash announces again, which the ledger knows for
    duplicates. An edition in which everything had its end is not walked once more.
    """
    current = replace(progress, reannounced=0)
    if current.cursor == START_CURSOR:
        snapshot_id = ports.objects.snapshot_id()
        if snapshot_id and snapshot_id == current.snapshot_id and current.is_complete:
            return current
        current = replace(current, snapshot_id=snapshot_id)
    while ports.has_time() and current.reannounced < max_messages:
        page, cursor = ports.objects.list_page(current.cursor)
        found, census = _compare_page(page, ports)
        busy = bool(found) and ports.bulk_queue.visible_messages() > BULK_BACKLOG_LIMIT
        reannounced = current.reannounced + _reannounce(found, ports, busy=busy)
        current = replace(current, cursor=cursor, partial=current.partial + census, reannounced=reannounced)
        if cursor == START_CURSOR:
            return replace(current, partial=Completeness(), last_complete=current.partial)
    return current


def backfill(
    cursor: str, model: str | None, ports: ReconcilePorts, *, max_messages: int
) -> ReconcileProgress:
    """Show a bucket, from a cursor on, to another model (or anew to its own where it has no end yet).

    Objects that the model has an end for, or is at, are passed over: it can be repeated and resumed at will.
    """
    progress = ReconcileProgress(cursor)
    while ports.has_time() and progress.reannounced < max_messages:
        page, cursor = ports.objects.list_page(progress.cursor)
        requested = [to_drop(listed, model) for listed in routable_objects(page)]
        records, now = ports.records.read_records({drop.id for drop, _ in requested}), ports.clock()
        found = [
            MissingOutcome(drop, reason, message)
            for drop, message in requested
            if (reason := missing_reason(records.get(drop.id), now, ports.policy)) is not None
        ]
        progress = ReconcileProgress(
            cursor, reannounced=progress.reannounced + _reannounce(found, ports, busy=False)
        )
        if cursor == START_CURSOR:
            break
    return progress


def _reannounce(found: Sequence[MissingOutcome], ports: ReconcilePorts, *, busy: bool) -> int:
    """Send what is due to the bulk lane; how many that were."""
    previous, now = ports.reannouncements.find_reannouncements({one.drop.id for one in found}), ports.clock()
    ready = due_announcements(found, previous, now=now, policy=ports.policy, is_bulk_busy=busy)
    ports.bulk_queue.send_messages([one.message for one in ready])
    times = {
        one.drop.id: previous[one.drop.id].announcements if one.drop.id in previous else 0 for one in ready
    }
    ports.reannouncements.save_reannouncements(
        {drop: Reannouncement(now, number + 1) for drop, number in times.items()}
    )
    return len(ready)


def _compare_page(
    page: Sequence[ListedObject], ports: ReconcilePorts
) -> tuple[list[MissingOutcome], Completeness]:
    drops = [(listed, *to_drop(listed)) for listed in page]
    records = ports.records.read_records({drop.id for _, drop, _ in drops})
    existing = [one for one in drops if one[1].id in records or ports.objects.exists(one[0].s3_object)]
    return find_missing(existing, records, now=ports.clock(), policy=ports.policy)
