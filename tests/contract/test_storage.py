"""Objects, the store, the gallery in force, people and lists, on S3 and DynamoDB."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import EndpointConnectionError

from cloud.galleries import GalleryInForce, Unmoved
from cloud.items import item
from cloud.ledger import DynamoLedger
from cloud.listing import Listing, listed
from cloud.objects import S3Objects
from cloud.people import DynamoPeople
from cloud.profiles import NameTaken, Profiles
from cloud.queue import Queue
from cloud.records import DynamoRecords
from cloud.store import WATCH_KEY, Store, WatchInForce
from cloud.templates import DynamoTemplates
from cloud.topic import Topic
from tests.memory import NOON
from vigil.drops import Drop, Object
from vigil.errors import ObjectGone, ObjectTooLarge, Transient
from vigil.flow.announce import Announcement
from vigil.flow.enrol import Change, Overtaken, Person
from vigil.seeing import Portrait, Scene, Sighting
from vigil.steady.ledger import Claim, Result
from vigil.watch.rules import default_watch


@dataclass(frozen=True)
class Book:
    version: int
    growing: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Print:
    vectors: dict[str, Any]
    quality: float = 0.9
    box_px: tuple[float, float, float, float] = (0, 0, 1, 1)
    portrait: Portrait | None = None


ANN = Person("p-1", "Ann", frozenset({"watch"}))
FACE = Print({"s": np.array([0.6, 0.8], np.float32)})


def test_an_object_is_read_by_its_version(bucket: Any):
    first = bucket.put_object(Bucket="bucket", Key="k", Body=b"one")["VersionId"]
    bucket.put_object(Bucket="bucket", Key="k", Body=b"two")

    assert S3Objects(bucket).fetch(Object("bucket", "k", first), 10) == b"one"


def test_an_object_that_was_deleted_is_gone(bucket: Any):
    bucket.put_object(Bucket="bucket", Key="k", Body=b"x")
    marker = bucket.delete_object(Bucket="bucket", Key="k")["VersionId"]

    for missing in (Object("bucket", "k"), Object("bucket", "k", marker), Object("bucket", "never")):
        with pytest.raises(ObjectGone):
            S3Objects(bucket).fetch(missing, 10)


def test_an_object_that_is_too_large_is_not_read(bucket: Any):
    bucket.put_object(Bucket="bucket", Key="k", Body=b"x" * 11)

    with pytest.raises(ObjectTooLarge, match="11 bytes"):
        S3Objects(bucket).fetch(Object("bucket", "k"), 10)


class Away:
    """A service that cannot be reached."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**_: Any) -> Any:
            raise EndpointConnectionError(endpoint_url="http://away")

        return call


@pytest.mark.parametrize(
    "ask",
    [
        lambda: S3Objects(Away()).fetch(Object("bucket", "k"), 10),
        lambda: Store(Away(), "bucket").get("k"),
        lambda: Store(Away(), "bucket").put_gallery(1, b""),
        lambda: Store(Away(), "bucket").erase(Object("bucket", "k")),
        WatchInForce(Away(), "bucket", fresh_s=0),
        GalleryInForce(Away(), "t", space="s", load=lambda _: Book(1), empty=Book(0), fresh_s=0),
        lambda: DynamoRecords(Away(), "t").drop("d"),
        lambda: DynamoRecords(Away(), "t").sightings("d"),
        lambda: list(Listing(Away(), "t").newest("drops", since=NOON)),
        lambda: DynamoPeople(Away(), "t", store=lambda _: {}).named("Ann"),
        lambda: Queue(Away(), "q").hide("r", 1),
        lambda: Topic(Away(), "t").tell([("1", Announcement({}, {}))]),
    ],
)
def test_a_service_that_is_away_is_a_transient_failure_that_says_what_was_being_done(ask: Callable[[], Any]):
    with pytest.raises(Transient, match="away"):
        ask()


def test_without_a_watch_file_the_default_one_holds(bucket: Any):
    assert WatchInForce(bucket, "bucket", fresh_s=0)() == default_watch()


def test_a_new_watch_file_is_noticed(bucket: Any):
    watch = WatchInForce(bucket, "bucket", fresh_s=0)
    watch()
    bucket.put_object(Bucket="bucket", Key=WATCH_KEY, Body=b'[[rules]]\nname = "mine"')

    assert [rule.name for rule in watch().rules] == ["mine"]
    assert [rule.name for rule in watch().rules] == ["mine"]


def test_within_its_freshness_the_watch_file_is_not_asked_for_again(bucket: Any):
    watch = WatchInForce(bucket, "bucket", fresh_s=60)
    watch()
    bucket.put_object(Bucket="bucket", Key=WATCH_KEY, Body=b"")

    assert watch().rules


def people(table: Any) -> DynamoPeople[Book]:
    return DynamoPeople(table, "t", store=lambda gallery: {"s": f"gallery/{gallery.version}"})


def test_who_is_enrolled_is_found_by_name_and_by_id(table: Any):
    people(table).commit(Change(None, ANN), [FACE], base=0, gallery=Book(1), now=NOON)

    assert people(table).named("ann") == people(table).person("p-1") == ANN
    assert people(table).named("Bob") is people(table).person("p-2") is None


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda table, ann: Profiles(table, "t").rename(ann, "Anna", NOON),
        lambda table, _: people(table).closed("p-1"),
        lambda table, _: people(table).leave("p-1", NOON),
        lambda table, _: people(table).gone("p-1"),
    ],
    ids=["renamed", "consent withdrawn", "being erased", "erased"],
)
def test_an_enrolment_that_crosses_a_change_of_the_person_brings_nothing_back(
    table: Any, meanwhile: Callable[[Any, Person], object]
):
    ann = Person("p-1", "Ann", frozenset({"watch", "learn"}))
    people(table).commit(Change(None, ann), [FACE], base=0, gallery=Book(1), now=NOON)
    meanwhile(table, ann)
    after = table.scan(TableName="t")["Items"]

    with pytest.raises(Overtaken):
        people(table).commit(Change(ann, ann), [FACE], base=1, gallery=Book(2), now=NOON)

    assert table.scan(TableName="t")["Items"] == after


def test_who_is_being_erased_is_nobody_to_enrol_and_nobody_to_rename(table: Any):
    people(table).commit(Change(None, ANN), [FACE], base=0, gallery=Book(1), now=NOON)

    held = people(table).leave("p-1", NOON)

    assert (held, people(table).person("p-1"), people(table).named("Ann")) == (ANN, None, None)
    assert people(table).leave("p-2", NOON) is None
    with pytest.raises(NameTaken):
        Profiles(table, "t").rename(ANN, "Anna", NOON)
    assert people(table).leave("p-1", NOON) == ANN


def test_a_gallery_grown_from_an_old_one_is_not_put_in_force(table: Any):
    people(table).commit(Change(None, ANN), [FACE], base=0, gallery=Book(1), now=NOON)

    with pytest.raises(Overtaken):
        people(table).commit(Change(None, Person("p-2", "Bob")), [FACE], base=0, gallery=Book(1), now=NOON)

    assert people(table).named("Bob") is None


def test_the_gallery_in_force_is_loaded_when_the_pointer_moves_and_only_then(table: Any):
    loaded: list[str] = []

    def load(key: str) -> Book:
        loaded.append(key)
        return Book(int(key.split("/")[1]))

    gallery = GalleryInForce(table, "t", space="s", load=load, empty=Book(0), fresh_s=0)
    versions = [gallery().version]
    for version in (1, 2):
        before = ANN if version > 1 else None
        people(table).commit(Change(before, ANN), [FACE], base=version - 1, gallery=Book(version), now=NOON)
        versions += [gallery().version, gallery().version]

    assert versions == [0, 1, 1, 2, 2]
    assert loaded == ["gallery/1", "gallery/2"]


def test_whoever_went_on_with_a_replaced_gallery_tells_for_how_long(
    table: Any, monkeypatch: pytest.MonkeyPatch
):
    told: list[float] = []
    gallery = GalleryInForce(
        table, "t", space="s", load=lambda _: Book(1), empty=Book(0), fresh_s=60, used=told.append
    )
    clock = NOON.timestamp()
    monkeypatch.setattr(time, "time", lambda: clock)
    gallery()

    people(table).commit(Change(None, ANN), [FACE], base=0, gallery=Book(1), now=NOON)
    clock += 45
    gallery()
    gallery._looked = float("-inf")
    clock += 600
    gallery()

    assert told[-1] == 45


def test_whoever_rested_while_the_gallery_was_replaced_compared_nothing_with_an_old_one(
    table: Any, monkeypatch: pytest.MonkeyPatch
):
    told: list[float] = []
    gallery = GalleryInForce(
        table, "t", space="s", load=lambda _: Book(1), empty=Book(0), fresh_s=0, used=told.append
    )
    monkeypatch.setattr(time, "time", lambda: NOON.timestamp() - 600)
    gallery()

    people(table).commit(Change(None, ANN), [FACE], base=0, gallery=Book(1), now=NOON)
    gallery()

    assert told == [0, 0]


@pytest.mark.parametrize("growing", [frozenset({"s"}), frozenset()])
def test_a_gallery_that_lacks_people_is_not_looked_into(table: Any, growing: frozenset[str]):
    stored = {"s": "gallery/1"} if growing else {"other": "gallery/1"}
    rows = DynamoPeople[Book](table, "t", store=lambda _: stored)
    rows.commit(Change(None, ANN), [FACE], base=0, gallery=Book(1, growing), now=NOON)

    with pytest.raises(Unmoved, match="enrolled anew"):
        GalleryInForce(table, "t", space="s", load=lambda _: Book(1), empty=Book(0), fresh_s=0)()


def test_a_photo_gains_a_vector_of_another_space_and_loses_it_again(table: Any):
    people(table).commit(Change(None, ANN), [FACE], base=0, gallery=Book(1), now=NOON)
    templates, vector = DynamoTemplates(table, "t"), np.full(4, 0.5, np.float32)
    (photo,) = templates.of(ANN.id)

    templates.add(ANN.id, photo.key, "new", vector)
    templates.add("p-gone", photo.key, "new", vector)
    both = templates.vectors(ANN.id)
    templates.drop(ANN.id, "new")

    assert both.keys() - photo.vectors.keys() == {"new"}
    np.testing.assert_array_equal(both["new"], [vector])
    assert templates.vectors(ANN.id).keys() == photo.vectors.keys()
    assert list(templates.of("p-gone")) == []


def test_each_use_of_the_gallery_tells_how_old_its_confirmation_is(table: Any):
    ages: list[float] = []
    gallery = GalleryInForce(
        table, "t", space="s", load=lambda _: Book(1), empty=Book(0), fresh_s=60, used=ages.append
    )

    gallery()
    gallery()

    assert ages[0] == 0.0
    assert 0 < ages[1] < 1


def test_a_snapshot_is_stored_under_a_key_of_its_own(bucket: Any):
    store = Store(bucket, "bucket")

    first, second = store.put_gallery(1, b"one"), store.put_gallery(1, b"two")

    assert (store.get(first), store.get(second)) == (b"one", b"two")


def test_photos_that_wait_to_be_enrolled_are_discarded_by_person(bucket: Any):
    store = Store(bucket, "bucket")
    kept = store.put_photo("p-2", b"other", ".jpg")
    for _ in range(2):
        store.put_photo("p-1", b"face", ".jpg")

    assert store.discard_photos("p-1") == 2

    left = bucket.list_object_versions(Bucket="bucket", Prefix="enrol/")
    assert [one["Key"] for one in left["Versions"]] == [kept.key]
    assert "DeleteMarkers" not in left


def test_old_snapshots_go_but_not_one_that_is_about_to_be_put_in_force(bucket: Any):
    store = Store(bucket, "bucket")
    before, now, coming = (store.put_gallery(version, b"faces") for version in (1, 2, 3))

    assert store.keep_only(2, [now]) == 1

    with pytest.raises(Transient):
        store.get(before)
    assert (store.get(now), store.get(coming)) == (b"faces", b"faces")


def test_an_erased_object_leaves_no_version(bucket: Any):
    version = bucket.put_object(Bucket="bucket", Key="k", Body=b"face")["VersionId"]

    Store(bucket, "bucket").erase(Object("bucket", "k", version))

    assert "Versions" not in bucket.list_object_versions(Bucket="bucket")


def test_a_list_is_newest_first_over_days_from_a_moment_and_up_to_another(table: Any):
    times = [NOON - timedelta(hours=7 * n) for n in range(12)]
    for number, at in enumerate(times):
        row = {"pk": f"x{number}", "sk": "x", "n": number} | listed("drops", f"id{number}", at)
        table.put_item(TableName="t", Item=item(row))

    records = DynamoRecords(table, "t")
    before = listed("drops", "id2", times[2])["list_at"]

    assert [row["n"] for row in records.newest("drops", since=times[-1], most=10)] == list(range(10))
    page = records.listed("drops", since=times[8], before=before, at_once=2)
    assert [row["n"] for row in page] == [3, 4, 5, 6, 7, 8]
    elsewhere = times[1].astimezone(timezone(timedelta(hours=-9)))
    assert [row["n"] for row in records.newest("drops", since=elsewhere, most=10)] == [0, 1]
    assert not list(records.listed("drops", since=NOON, before=before, at_once=2))


def test_a_drop_is_found_by_its_object(table: Any):
    ledger = DynamoLedger(table, "t", lane="live", retention=timedelta(days=1))
    drop = Drop("d1", "faces", "door", Object("bucket", "live/faces/door/a.jpg", "v1"), NOON)
    claim = ledger.claim(drop, owner="w", now=NOON, until=NOON)
    assert isinstance(claim, Claim)
    ledger.keep(claim, drop, Result(Scene((Sighting("unknown", "unknown"),), 1), "r", (), None, {}), now=NOON)
    records = DynamoRecords(table, "t")

    assert records.of_object("s3://bucket/live/faces/door/a.jpg") == ["d1"]
    assert [row["status"] for row in records.sightings("d1")] == ["unknown"]
    whole = records.whole("d1")
    assert whole is not None
    assert (whole["state"], [row["status"] for row in whole["seen"]]) == ("done", ["unknown"])
    assert records.whole("d2") is None


def test_what_the_topic_did_not_take_is_told_again_from_there():
    class Picky:
        def publish_batch(self, **request: Any) -> Any:
            entries = request["PublishBatchRequestEntries"]
            return {"Failed": [{"Id": entry["Id"]} for entry in entries if entry["Message"] == '"12"']}

    facts = [(f"mark-{n}", Announcement(str(n), {"type": "t"})) for n in range(25)]  # type: ignore[arg-type]

    assert Topic(Picky(), "arn").tell(facts) == "mark-12"
    assert Topic(Picky(), "arn").tell(facts[:12]) == ""
