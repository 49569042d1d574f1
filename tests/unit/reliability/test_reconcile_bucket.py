"""A walk through the bucket, page by page, and back-filling."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from cloud.s3_events import QueueMessage, announcement, parse_message
from tests.fakes.memory import NOON, FakeClock
from vigil.drops.ledger import DropRecord
from vigil.drops.messages import S3Object
from vigil.reliability.reconcile import (
    BULK_BACKLOG_LIMIT,
    Completeness,
    ListedObject,
    Reannouncement,
    ReconcilePolicy,
    ReconcilePorts,
    ReconcileProgress,
    backfill,
    reconcile_bucket,
    to_drop,
)

DAY_BEFORE = NOON - timedelta(days=1)
OBJECTS = [ListedObject(S3Object("photos", f"live/faces/door/{n}.jpg", "v1"), DAY_BEFORE) for n in range(5)]
UNROUTABLE = ListedObject(S3Object("photos", "live/astray.jpg", "v1"), DAY_BEFORE)


@dataclass
class FakeBucket:
    """Every port: pages of two objects, records of those that are `done`, and the bulk lane."""

    objects: list[ListedObject] = field(default_factory=lambda: list(OBJECTS))
    done: set[str] = field(default_factory=set)
    claimed: Mapping[str, timedelta] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    reannouncements: dict[str, Reannouncement] = field(default_factory=dict)
    backlog: int = 0
    pages: int = 99
    snapshot: str = ""
    deleted: set[str] = field(default_factory=set)

    def snapshot_id(self) -> str:
        return self.snapshot

    def exists(self, item: S3Object) -> bool:
        return item.key not in self.deleted

    def list_page(self, cursor: str) -> tuple[Sequence[ListedObject], str]:
        begin = int(cursor or 0)
        return self.objects[begin : begin + 2], str(begin + 2) if begin + 2 < len(self.objects) else ""

    def read_records(self, drop_ids: Collection[str]) -> Mapping[str, DropRecord]:
        done = {drop: DropRecord(drop, "done", 1, NOON) for drop in self.done & set(drop_ids)}
        ago = self.claimed.items()
        return done | {
            drop: DropRecord(drop, "claimed", 1, NOON - time) for drop, time in ago if drop in drop_ids
        }

    def send_messages(self, messages: Sequence[str]) -> None:
        self.sent += messages

    def visible_messages(self) -> int:
        return self.backlog

    def find_reannouncements(self, drops: Collection[str]) -> Mapping[str, Reannouncement]:
        return {drop: told for drop, told in self.reannouncements.items() if drop in drops}

    def save_reannouncements(self, reannouncements: Mapping[str, Reannouncement]) -> None:
        self.reannouncements |= reannouncements

    def has_time(self) -> bool:
        self.pages -= 1
        return self.pages >= 0

    def ports(self, after: timedelta = timedelta(0)) -> ReconcilePorts:
        return ReconcilePorts(self, self, self, self, announcement, FakeClock(NOON + after), self.has_time)

    def complete(self, listed: ListedObject, model: str | None = None) -> None:
        self.done.add(to_drop(listed, model).id)


def test_missing_objects_are_announced_and_completeness_is_of_the_whole_bucket():
    house = FakeBucket()
    for listed in OBJECTS[:4]:
        house.complete(listed)

    ended = reconcile_bucket(ReconcileProgress(), house.ports(), max_messages=100)

    completeness = Completeness(5, 4, 0, {"unannounced": 1})
    assert ended == ReconcileProgress("", Completeness(), completeness, 1, ended_at=NOON)
    (message,) = house.sent
    assert parse_message(QueueMessage("m", message, NOON), "photos") == [to_drop(OBJECTS[4])]


def test_a_pass_continues_where_its_time_ended():
    house = FakeBucket(pages=1)

    first = reconcile_bucket(ReconcileProgress(), house.ports(), max_messages=100)
    house.pages = 99
    second = reconcile_bucket(first, house.ports(), max_messages=100)

    assert (first.cursor, first.last_complete, len(house.sent)) == ("2", None, 5)
    assert second.last_complete == Completeness(5, 0, 0, {"unannounced": 5})


def test_a_pass_stops_at_the_message_limit():
    house = FakeBucket()

    stopped = reconcile_bucket(ReconcileProgress(), house.ports(), max_messages=1)

    assert (stopped.cursor, stopped.reannounced) == ("2", 2)


def test_the_last_completeness_stays_during_the_next_pass():
    house = FakeBucket(pages=1)
    before = Completeness(9, 9)

    assert (
        reconcile_bucket(
            ReconcileProgress(last_complete=before), house.ports(), max_messages=100
        ).last_complete
        == before
    )


def test_a_backfill_announces_unprocessed_objects_with_a_routable_key():
    house = FakeBucket(objects=[*OBJECTS, UNROUTABLE])
    house.complete(OBJECTS[0], "objects")

    ended = backfill("", "objects", house.ports(), max_messages=100)

    assert (ended.reannounced, ended.cursor) == (4, "")
    assert all('"model": "objects"' in message for message in house.sent)


def test_a_clip_is_no_input_of_another_model_and_is_announced_again_for_itself():
    clip = ListedObject(S3Object("photos", "live/clips/door/film.mp4", "v1"), DAY_BEFORE)

    others, own = FakeBucket(objects=[clip]), FakeBucket(objects=[clip])

    assert backfill("", "objects", others.ports(), max_messages=100).reannounced == 0
    assert backfill("", None, own.ports(), max_messages=100).reannounced == 1


def test_the_wait_between_announcements_grows():
    """A lane that is hours behind must not be sent all that waits in it once more every five minutes."""
    house = FakeBucket(pages=10_000)

    sent = []
    for minutes in range(0, 24 * 60, 5):
        reconcile_bucket(ReconcileProgress(), house.ports(timedelta(minutes=minutes)), max_messages=100)
        sent.append(len(house.sent) // len(OBJECTS))

    assert sent[-1] == 5
    assert [sent.index(times) * 5 / 60 for times in range(1, 6)] == [0, 1, 3, 7, 15]


def test_a_busy_bulk_lane_delays_announcements_of_its_own_objects_only():
    bulk = ListedObject(S3Object("photos", "bulk/faces/door/1.jpg", "v1"), DAY_BEFORE)
    house = FakeBucket(objects=[OBJECTS[0], bulk], backlog=BULK_BACKLOG_LIMIT + 1)

    busy = reconcile_bucket(ReconcileProgress(), house.ports(), max_messages=100)
    house.backlog = 0
    free = reconcile_bucket(ReconcileProgress(), house.ports(), max_messages=100)

    assert busy.last_complete == free.last_complete == Completeness(2, 0, 0, {"unannounced": 2})
    assert [busy.reannounced, free.reannounced] == [1, 1]
    assert "bulk%2Ffaces%2Fdoor%2F1.jpg" in house.sent[1]


def test_a_backfill_announces_abandoned_drops_and_skips_leased_ones():
    left, at_work = (to_drop(listed, "objects").id for listed in OBJECTS[:2])
    house = FakeBucket(
        objects=OBJECTS[:2], claimed={left: timedelta(hours=2), at_work: timedelta(minutes=-1)}
    )

    ended = backfill("", "objects", house.ports(), max_messages=100)

    assert ended.reannounced == 1
    assert OBJECTS[0].s3_object.key in house.sent[0]


def test_a_complete_listing_is_not_compared_again():
    house = FakeBucket(snapshot="monday")
    for listed in OBJECTS:
        house.complete(listed)
    first = reconcile_bucket(ReconcileProgress(), house.ports(), max_messages=100)
    looked = house.pages

    assert reconcile_bucket(first, house.ports(), max_messages=100) == first
    assert house.pages == looked
    house.snapshot = "tuesday"
    assert reconcile_bucket(first, house.ports(), max_messages=100).snapshot_id == "tuesday"
    assert house.pages < looked


def test_an_incomplete_listing_is_compared_until_it_is_complete():
    house = FakeBucket(snapshot="monday")
    first = reconcile_bucket(ReconcileProgress(), house.ports(), max_messages=100)
    for listed in OBJECTS:
        house.complete(listed)

    second = reconcile_bucket(first, house.ports(timedelta(minutes=1)), max_messages=100)

    assert (first.is_complete, second.is_complete) == (False, True)


def test_an_object_erased_after_the_listing_is_neither_missing_nor_counted():
    house = FakeBucket(snapshot="monday", deleted={OBJECTS[0].s3_object.key})
    for listed in OBJECTS[1:]:
        house.complete(listed)

    ended = reconcile_bucket(ReconcileProgress(), house.ports(), max_messages=100)

    assert (ended.reannounced, ended.last_complete) == (0, Completeness(4, 4))


def test_after_a_whole_pass_there_is_a_pause_that_grows_with_the_bucket():
    house, policy = FakeBucket(), ReconcilePolicy()
    ended = reconcile_bucket(ReconcileProgress(), house.ports(), max_messages=100)
    pages = house.pages

    assert reconcile_bucket(ended, house.ports(timedelta(milliseconds=100)), max_messages=100) == replace(
        ended, reannounced=0
    )
    assert house.pages == pages
    assert reconcile_bucket(ended, house.ports(timedelta(minutes=5)), max_messages=100) != ended
    assert policy.pause_after(1_000) < timedelta(minutes=5), "a small bucket is compared at each run"
    assert policy.pause_after(100_000) == timedelta(hours=1)
    assert policy.pause_after(10**9) == timedelta(days=1)


def test_a_pass_that_is_not_complete_continues_without_a_pause():
    house = FakeBucket(pages=1)
    first = reconcile_bucket(ReconcileProgress(), house.ports(), max_messages=100)
    house.pages = 99

    assert reconcile_bucket(first, house.ports(), max_messages=100).last_complete is not None
