"""Compares the bucket with the ledger and announces again every object whose drop has no final state."""

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

from vigil.drops.ledger import MAX_LEASE, DropRecord, DropRecordReader
from vigil.drops.messages import (
    CLIP_MODEL,
    Drop,
    InvalidMessage,
    S3Object,
    compute_drop_id,
    object_drop,
    parse_object_key,
)
from vigil.errors import Rejected

MissingReason = Literal["unannounced", "lease-expired", "stuck-lease"]

BULK_PREFIX = "bulk/"
"""Key prefix of objects whose own events go to the bulk lane."""


@dataclass(frozen=True, slots=True)
class ListedObject:
    """One object version in the bucket's listing."""

    s3_object: S3Object
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class MissingOutcome:
    """A drop without a final state, why, and its object; `model` if it is not the one in the key."""

    drop: Drop | InvalidMessage
    reason: MissingReason
    listed: ListedObject
    model: str | None = None


@dataclass(frozen=True, slots=True)
class ReconcilePolicy:
    """When an object counts as missing.

    event_grace  time that an object's event may take
    lease_grace  time after the end of a lease in which its message may be delivered again
    max_wait     longest wait between two announcements of one object
    retention    age at which ledger records expire: the absence of an older one means nothing
    pause        after a whole pass, for each object that it compared; at most max_pause
    """

    event_grace: timedelta = timedelta(minutes=15)
    lease_grace: timedelta = timedelta(hours=1)
    max_wait: timedelta = timedelta(days=1)
    retention: timedelta = timedelta(days=90)
    pause: timedelta = timedelta(milliseconds=36)
    max_pause: timedelta = timedelta(days=1)

    def pause_after(self, objects: int) -> timedelta:
        """The pause after a pass: its cost by the hour does not grow with the bucket."""
        return min(self.pause * objects, self.max_pause)

    def wait_after(self, announcements: int) -> timedelta:
        """The wait before the next announcement: the message of the last one may still be in the lane."""
        return min(self.lease_grace * (1 << min(max(announcements - 1, 0), 20)), self.max_wait)


@dataclass(frozen=True, slots=True)
class Reannouncement:
    announced_at: datetime
    announcements: int


@dataclass(frozen=True, slots=True)
class Completeness:
    """How many objects have a drop with a final state; the values of pages are added.

    objects     objects that should be in the ledger
    too_recent  objects whose event may still be on its way
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
        """completed / objects, 0 to 1."""
        return self.completed / self.objects if self.objects else 1.0


def to_drop(listed: ListedObject, model: str | None = None) -> Drop | InvalidMessage:
    """The drop of an object for a model (None: the model in its key), as its announcement makes it."""
    item = listed.s3_object
    try:
        own_model, source = parse_object_key(item.key)
    except Rejected as rejection:
        drop_id = compute_drop_id(item.bucket, item.key, item.version)
        return InvalidMessage(drop_id, item, listed.stored_at, rejection)
    return object_drop(item, model or own_model, source, dedup_key=item.version, occurred_at=listed.stored_at)


def find_missing(
    page: Iterable[tuple[ListedObject, Drop | InvalidMessage]],
    records: Mapping[str, DropRecord],
    *,
    now: datetime,
    policy: ReconcilePolicy,
) -> tuple[list[MissingOutcome], Completeness]:
    """The missing outcomes of one page; `page` has each object with the result of `to_drop`."""
    missing, completed, too_recent, objects = [], 0, 0, 0
    for listed, drop in page:
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
            missing.append(MissingOutcome(drop, reason, listed))
    return missing, Completeness(objects, completed, too_recent, dict(Counter(one.reason for one in missing)))


def due_announcements(
    missing: Iterable[MissingOutcome],
    announced: Mapping[str, Reannouncement],
    *,
    now: datetime,
    policy: ReconcilePolicy,
    is_bulk_busy: bool,
) -> list[MissingOutcome]:
    """Those to be announced now; a lane that is behind gets no second message for what is in its queue.

    After an announcement the next one waits for an hour, then two, four ... While the bulk lane is busy,
    its own unannounced objects are not announced: their events may be in its queue.
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
    """Those whose key names a model and a source."""
    return [listed for listed in page if _is_routable(listed.s3_object.key)]


def missing_reason(record: DropRecord | None, now: datetime, policy: ReconcilePolicy) -> MissingReason | None:
    """Why a drop has no final state; None if it has one or a worker may still process it."""
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


def _is_clip(key: str) -> bool:
    return parse_object_key(key)[0] == CLIP_MODEL


def _is_routable(key: str) -> bool:
    try:
        parse_object_key(key)
    except Rejected:
        return False
    return True


START_CURSOR = ""
"""The cursor before the first page, and after the last."""


BULK_BACKLOG_LIMIT = 1000
"""With more visible messages than this the bulk lane is busy."""


class ObjectListing(Protocol):
    """The bucket's object versions. Raises Transient."""

    def snapshot_id(self) -> str:
        """An id of the listing: passes with one id list the same objects; "" if they may differ."""

    def list_page(self, cursor: str) -> tuple[Sequence[ListedObject], str]:
        """The page at a cursor, and the cursor of the next."""

    def exists(self, item: S3Object) -> bool:
        """Whether a listed object still exists."""


class BulkQueue(Protocol):
    """The bulk lane's queue. Raises Transient."""

    def send_messages(self, messages: Sequence[str]) -> None: ...
    def visible_messages(self) -> int: ...


class ReannouncementStore(Protocol):
    """When and how often each drop was announced again. Raises Transient."""

    def find_reannouncements(self, drops: Collection[str]) -> Mapping[str, Reannouncement]: ...
    def save_reannouncements(self, reannouncements: Mapping[str, Reannouncement]) -> None: ...


@dataclass(frozen=True, slots=True)
class ReconcilePorts:
    """Ports of a pass over the bucket.

    announcement  the message that announces an object that was stored at a time for a model
    has_time      false when the invocation should end
    """

    objects: ObjectListing
    records: DropRecordReader
    bulk_queue: BulkQueue
    reannouncements: ReannouncementStore
    announcement: Callable[[S3Object, datetime, str | None], str]
    clock: Callable[[], datetime]
    has_time: Callable[[], bool]
    policy: ReconcilePolicy = field(default_factory=ReconcilePolicy)


@dataclass(frozen=True, slots=True)
class ReconcileProgress:
    """The state of a pass, and the result and the end of the last complete pass."""

    cursor: str = START_CURSOR
    partial: Completeness = field(default_factory=Completeness)
    last_complete: Completeness | None = None
    reannounced: int = 0
    snapshot_id: str = ""
    ended_at: datetime | None = None

    @property
    def is_complete(self) -> bool:
        completeness = self.last_complete
        return (
            completeness is not None
            and completeness.completed == completeness.objects
            and not completeness.too_recent
        )

    def is_pausing(self, snapshot_id: str, now: datetime, policy: ReconcilePolicy) -> bool:
        """Whether the objects were compared so recently that another pass would only cost money."""
        if self.last_complete is None or self.ended_at is None or snapshot_id != self.snapshot_id:
            return False
        return now < self.ended_at + policy.pause_after(self.last_complete.objects)


def reconcile_bucket(
    progress: ReconcileProgress, ports: ReconcilePorts, *, max_messages: int
) -> ReconcileProgress:
    """Continue where the last run stopped, until the end of the bucket, the time or the message limit.

    A page is announced before its announcements are stored: after a crash they are sent again, which the
    ledger recognises as duplicates. A listing in which everything was complete is not compared again, and
    after each pass there is a pause.
    """
    current = replace(progress, reannounced=0)
    if current.cursor == START_CURSOR:
        snapshot_id = ports.objects.snapshot_id()
        is_known = snapshot_id and snapshot_id == current.snapshot_id and current.is_complete
        if is_known or current.is_pausing(snapshot_id, ports.clock(), ports.policy):
            return current
        current = replace(current, snapshot_id=snapshot_id)
    while ports.has_time() and current.reannounced < max_messages:
        page, cursor = ports.objects.list_page(current.cursor)
        found, completeness = _compare_page(page, ports)
        busy = bool(found) and ports.bulk_queue.visible_messages() > BULK_BACKLOG_LIMIT
        reannounced = current.reannounced + _reannounce(found, ports, busy=busy)
        current = replace(
            current, cursor=cursor, partial=current.partial + completeness, reannounced=reannounced
        )
        if cursor == START_CURSOR:
            return replace(
                current, partial=Completeness(), last_complete=current.partial, ended_at=ports.clock()
            )
    return current


def backfill(
    cursor: str, model: str | None, ports: ReconcilePorts, *, max_messages: int
) -> ReconcileProgress:
    """Announce a bucket's objects, from a cursor on, for another model (None: for their own model).

    The frames of a clip are objects; the clip itself is no input of another model.

    Objects whose drop has a final state or is being processed are skipped: it can be repeated and resumed.
    """
    progress = ReconcileProgress(cursor)
    while ports.has_time() and progress.reannounced < max_messages:
        page, cursor = ports.objects.list_page(progress.cursor)
        objects = [one for one in routable_objects(page) if model is None or not _is_clip(one.s3_object.key)]
        requested = [(listed, to_drop(listed, model)) for listed in objects]
        records, now = ports.records.read_records({drop.id for _, drop in requested}), ports.clock()
        found = [
            MissingOutcome(drop, reason, listed, model)
            for listed, drop in requested
            if (reason := missing_reason(records.get(drop.id), now, ports.policy)) is not None
        ]
        progress = ReconcileProgress(
            cursor, reannounced=progress.reannounced + _reannounce(found, ports, busy=False)
        )
        if cursor == START_CURSOR:
            break
    return progress


def _reannounce(found: Sequence[MissingOutcome], ports: ReconcilePorts, *, busy: bool) -> int:
    """Send what is due to the bulk lane; returns the number of messages."""
    previous, now = ports.reannouncements.find_reannouncements({one.drop.id for one in found}), ports.clock()
    ready = due_announcements(found, previous, now=now, policy=ports.policy, is_bulk_busy=busy)
    ports.bulk_queue.send_messages(
        [ports.announcement(one.listed.s3_object, one.listed.stored_at, one.model) for one in ready]
    )
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
    drops = [(listed, to_drop(listed)) for listed in page]
    records = ports.records.read_records({drop.id for _, drop in drops})
    existing = [one for one in drops if one[1].id in records or ports.objects.exists(one[0].s3_object)]
    return find_missing(existing, records, now=ports.clock(), policy=ports.policy)
