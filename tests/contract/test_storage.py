"""Objects, the store, the gallery in force, people and lists, on S3 and DynamoDB."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta, timezone
from itertools import islice
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.session import Session
from botocore.stub import Stubber

from cloud.client import AwsClients, Deadline
from cloud.dynamodb.drops import DynamoDropReader
from cloud.dynamodb.ledger import DynamoLedger
from cloud.dynamodb.people import DynamoPeople, DynamoTemplates
from cloud.dynamodb.pointers import CachedGallery, GalleryIncomplete
from cloud.dynamodb.profiles import DynamoProfiles
from cloud.dynamodb.queries import Listing
from cloud.dynamodb.schema import listing_attributes
from cloud.s3.objects import RULES_KEY, CachedRules, PresignedPhotos, S3InputReader, S3Store
from cloud.sns import SnsTopic
from cloud.sqs import SqsQueue
from tests.fakes.memory import NOON
from vigil.alerts.rules import default_rules
from vigil.drops.events import OutboundEvent
from vigil.drops.ledger import Lease, ProcessingResult
from vigil.drops.messages import Drop, InlinePayload, S3Object
from vigil.errors import ConcurrentUpdate, InvalidConfiguration, ObjectNotFound, ObjectTooLarge, Transient
from vigil.faces.enrolment_check import Template
from vigil.faces.gallery import GallerySet
from vigil.inference.types import Prediction, Sighting
from vigil.people.person import Person, PersonChange


@dataclass(frozen=True)
class FakeGallery:
    version: int
    incomplete_spaces: frozenset[str] = frozenset()


def cached_gallery(client: Any, **changes: Any) -> CachedGallery[FakeGallery]:
    """The gallery `default`, read again at each use."""
    options: dict[str, Any] = {"load": lambda _: FakeGallery(1), "empty": FakeGallery(0), "max_age_s": 0}
    return CachedGallery(client, "t", name="default", space="s", **options | changes)


ANN = Person("p-1", "Ann", frozenset({"watch"}))
FACE = Template({"s": np.array([0.6, 0.8], np.float32)}, 0.9, (0, 0, 1, 1))


def test_an_object_is_read_by_its_version(bucket: Any):
    first = bucket.put_object(Bucket="bucket", Key="k", Body=b"one")["VersionId"]
    bucket.put_object(Bucket="bucket", Key="k", Body=b"two")

    assert S3InputReader(bucket).fetch(S3Object("bucket", "k", first), 10) == b"one"


def test_an_object_that_was_deleted_is_gone(bucket: Any):
    bucket.put_object(Bucket="bucket", Key="k", Body=b"x")
    marker = bucket.delete_object(Bucket="bucket", Key="k")["VersionId"]

    for missing in (S3Object("bucket", "k"), S3Object("bucket", "k", marker), S3Object("bucket", "never")):
        with pytest.raises(ObjectNotFound):
            S3InputReader(bucket).fetch(missing, 10)


@pytest.mark.parametrize("code", ["InvalidArgument", "KeyTooLongError"])
def test_a_version_or_key_that_s3_refuses_names_no_object(code: str):
    """moto looks any version up; S3 refuses one that it cannot have made."""
    client = Session().create_client("s3", "eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    stub = Stubber(client)
    stub.add_client_error("get_object", code, http_status_code=400)

    with stub, pytest.raises(ObjectNotFound):
        S3InputReader(client).fetch(S3Object("bucket", "k", "not-a-version"), 10)


def test_forms_and_links_name_the_region_of_the_bucket(monkeypatch: pytest.MonkeyPatch):
    """S3 redirects what was signed for us-east-1, and a region after 2019 refuses it:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
    """
    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-2")
    photos = PresignedPhotos(AwsClients(Deadline()).get("s3", "s3v4"), "photos")

    form = photos.upload_form("live/faces/door/1.jpg", content_type="image/jpeg", max_bytes=9, expires_s=9)
    link = photos.download_url(S3Object("photos", "live/faces/door/1.jpg", "v1"))

    assert form.url == "https://photos.s3.eu-central-2.amazonaws.com/"
    assert link.startswith("https://photos.s3.eu-central-2.amazonaws.com/live/faces/door/1.jpg?")


def test_an_object_that_is_too_large_is_not_read(bucket: Any):
    bucket.put_object(Bucket="bucket", Key="k", Body=b"x" * 11)

    with pytest.raises(ObjectTooLarge, match="11 bytes"):
        S3InputReader(bucket).fetch(S3Object("bucket", "k"), 10)


class UnreachableService:
    """A service that cannot be reached."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**_: Any) -> Any:
            raise EndpointConnectionError(endpoint_url="http://away")

        return call


@pytest.mark.parametrize(
    "ask",
    [
        lambda: S3InputReader(UnreachableService()).fetch(S3Object("bucket", "k"), 10),
        lambda: S3Store(UnreachableService(), "bucket").get_object("k"),
        lambda: S3Store(UnreachableService(), "bucket").save_gallery_segment("default", 1, b""),
        lambda: S3Store(UnreachableService(), "bucket").delete_version(S3Object("bucket", "k")),
        CachedRules(UnreachableService(), "bucket", max_age_s=0),
        cached_gallery(UnreachableService()),
        lambda: DynamoDropReader(UnreachableService(), "t").find_drop("d"),
        lambda: DynamoDropReader(UnreachableService(), "t").sightings("d"),
        lambda: list(Listing(UnreachableService(), "t").newest("drops", since=NOON)),
        lambda: DynamoPeople(UnreachableService(), "t", store_gallery=lambda _: {}).find_by_name(
            "Ann", "default"
        ),
        lambda: SqsQueue(UnreachableService(), "q").set_visibility_timeout("r", 1),
        lambda: SnsTopic(UnreachableService(), "t").publish([("1", OutboundEvent({}, {}))]),
    ],
)
def test_an_unavailable_service_raises_transient_with_the_operation(ask: Callable[[], Any]):
    with pytest.raises(Transient, match="away"):
        ask()


def test_without_stored_rules_the_default_rules_apply(bucket: Any):
    assert CachedRules(bucket, "bucket", max_age_s=0)() == default_rules()


def test_changed_rules_take_effect(bucket: Any):
    watch = CachedRules(bucket, "bucket", max_age_s=0)
    watch()
    bucket.put_object(Bucket="bucket", Key=RULES_KEY, Body=b'[[rules]]\nname = "mine"')

    assert [rule.name for rule in watch().rules] == ["mine"]
    assert [rule.name for rule in watch().rules] == ["mine"]


@pytest.mark.parametrize("text", [b"x =", b"", b"[doors]", '[[rules]]\nname = "T\u00fcr"'.encode("latin-1")])
def test_rules_that_are_not_valid_leave_the_last_valid_ones_in_force_and_are_reported(
    bucket: Any, text: bytes
):
    problems: list[str] = []
    rules = CachedRules(bucket, "bucket", max_age_s=0, on_invalid=problems.append)
    for data in (b'[[rules]]\nname = "mine"', text):
        bucket.put_object(Bucket="bucket", Key=RULES_KEY, Body=data)
        names = [rule.name for rule in rules().rules]
    bucket.put_object(Bucket="bucket", Key=RULES_KEY, Body=b'[[rules]]\nname = "mended"')

    assert names == ["mine"]
    assert len(problems) == 1
    assert problems[0].startswith("read configuration: rules.toml")
    assert [rule.name for rule in rules().rules] == ["mended"]
    assert CachedRules(bucket, "bucket", max_age_s=0)().rules[0].name == "mended"


def test_a_container_that_starts_with_invalid_rules_uses_the_default_ones(bucket: Any):
    bucket.put_object(Bucket="bucket", Key=RULES_KEY, Body=b"x =")

    assert CachedRules(bucket, "bucket", max_age_s=0)() == default_rules()


def test_rules_that_were_put_into_force_are_in_the_history_newest_first(bucket: Any):
    store = S3Store(bucket, "bucket")
    for number in range(3):
        store.save_rules(
            f"rules = [] # {number}", version=str(number), caller="ann", now=NOON + timedelta(seconds=number)
        )

    assert [(one["version"], one["caller"]) for one in store.rules_history(2)] == [("2", "ann"), ("1", "ann")]
    assert store.rules_history(9)[-1]["toml"] == "rules = [] # 0"
    assert store.read_rules() == "rules = [] # 2"


def test_rules_are_not_read_again_within_their_maximum_age(bucket: Any):
    watch = CachedRules(bucket, "bucket", max_age_s=60)
    watch()
    bucket.put_object(Bucket="bucket", Key=RULES_KEY, Body=b"")

    assert watch().rules


def dynamo_people(table: Any) -> DynamoPeople:
    return DynamoPeople(table, "t", store_gallery=lambda gallery: {"s": [f"gallery/{gallery.version}"]})


def test_who_is_enrolled_is_found_by_name_and_by_id(table: Any):
    dynamo_people(table).commit(PersonChange(None, ANN), [FACE], base=0, gallery=GallerySet(1), now=NOON)

    assert (
        dynamo_people(table).find_by_name("ann", "default") == dynamo_people(table).find_person("p-1") == ANN
    )
    assert (
        dynamo_people(table).find_by_name("Bob", "default") is dynamo_people(table).find_person("p-2") is None
    )


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda table, ann: DynamoProfiles(table, "t").rename(ann, "Anna", NOON),
        lambda table, _: dynamo_people(table).withdraw_consent("p-1"),
        lambda table, _: dynamo_people(table).begin_erasure("p-1", NOON),
        lambda table, _: dynamo_people(table).delete_profile("p-1"),
    ],
    ids=["renamed", "consent withdrawn", "being erased", "erased"],
)
def test_an_enrolment_that_crosses_a_change_of_the_person_brings_nothing_back(
    table: Any, meanwhile: Callable[[Any, Person], object]
):
    ann = Person("p-1", "Ann", frozenset({"watch", "learn"}))
    dynamo_people(table).commit(PersonChange(None, ann), [FACE], base=0, gallery=GallerySet(1), now=NOON)
    meanwhile(table, ann)
    after = table.scan(TableName="t")["Items"]

    with pytest.raises(ConcurrentUpdate):
        dynamo_people(table).commit(PersonChange(ann, ann), [FACE], base=1, gallery=GallerySet(2), now=NOON)

    assert table.scan(TableName="t")["Items"] == after


def test_who_is_being_erased_is_nobody_to_enrol_and_nobody_to_rename(table: Any):
    dynamo_people(table).commit(PersonChange(None, ANN), [FACE], base=0, gallery=GallerySet(1), now=NOON)

    held = dynamo_people(table).begin_erasure("p-1", NOON)

    assert (
        held,
        dynamo_people(table).find_person("p-1"),
        dynamo_people(table).find_by_name("Ann", "default"),
    ) == (
        ANN,
        None,
        None,
    )
    assert dynamo_people(table).begin_erasure("p-2", NOON) is None
    with pytest.raises(ConcurrentUpdate):
        DynamoProfiles(table, "t").rename(ANN, "Anna", NOON)
    assert dynamo_people(table).begin_erasure("p-1", NOON) == ANN


def test_a_gallery_grown_from_an_old_one_is_not_put_in_force(table: Any):
    dynamo_people(table).commit(PersonChange(None, ANN), [FACE], base=0, gallery=GallerySet(1), now=NOON)

    with pytest.raises(ConcurrentUpdate):
        dynamo_people(table).commit(
            PersonChange(None, Person("p-2", "Bob")), [FACE], base=0, gallery=GallerySet(1), now=NOON
        )

    assert dynamo_people(table).find_by_name("Bob", "default") is None


def test_the_gallery_in_force_is_loaded_when_the_pointer_moves_and_only_then(table: Any):
    loaded: list[str] = []

    def load(keys: tuple[str, ...]) -> FakeGallery:
        (key,) = keys
        loaded.append(key)
        return FakeGallery(int(key.split("/")[1]))

    gallery = cached_gallery(table, load=load)
    versions = [gallery().version]
    for version in (1, 2):
        before = ANN if version > 1 else None
        dynamo_people(table).commit(
            PersonChange(before, ANN), [FACE], base=version - 1, gallery=GallerySet(version), now=NOON
        )
        versions += [gallery().version, gallery().version]

    assert versions == [0, 1, 1, 2, 2]
    assert loaded == ["gallery/1", "gallery/2"]


def test_a_gallery_that_cannot_be_read_leaves_the_last_one_in_use_and_is_reported(table: Any):
    problems: list[str] = []

    def load(keys: tuple[str, ...]) -> FakeGallery:
        (key,) = keys
        if key == "gallery/2":
            raise InvalidConfiguration("not a gallery snapshot")
        return FakeGallery(int(key.split("/")[1]))

    def cached() -> CachedGallery[FakeGallery]:
        return cached_gallery(table, load=load, on_invalid=problems.append)

    warm, versions = cached(), []
    for version in (1, 2, 3):
        before = ANN if version > 1 else None
        dynamo_people(table).commit(
            PersonChange(before, ANN), [FACE], base=version - 1, gallery=GallerySet(version), now=NOON
        )
        versions.append(warm().version)
        if version == 2:
            with pytest.raises(InvalidConfiguration):
                cached()()

    assert versions == [1, 1, 3]
    assert len(problems) == 2


def test_a_gallery_whose_segment_was_replaced_while_it_is_read_is_read_again(table: Any):
    people = dynamo_people(table)
    people.commit(PersonChange(None, ANN), [FACE], base=0, gallery=GallerySet(1), now=NOON)

    def load(keys: tuple[str, ...]) -> FakeGallery:
        if keys == ("gallery/1",):
            people.replace_gallery(base=1, gallery=GallerySet(2), now=NOON)
            raise Transient("no such key", dependency="store", operation="read object")
        return FakeGallery(2)

    gallery = cached_gallery(table, load=load)

    assert gallery().version == 2


def test_a_gallery_that_cannot_be_read_is_transient(table: Any):
    dynamo_people(table).commit(PersonChange(None, ANN), [FACE], base=0, gallery=GallerySet(1), now=NOON)

    def load(_: tuple[str, ...]) -> FakeGallery:
        raise Transient("away", dependency="store", operation="read object")

    gallery = cached_gallery(table, load=load)

    with pytest.raises(Transient, match="away"):
        gallery()


def test_the_time_of_use_of_a_replaced_gallery_is_reported(table: Any, monkeypatch: pytest.MonkeyPatch):
    told: list[float] = []
    gallery = cached_gallery(table, max_age_s=60, on_use=told.append)
    clock = NOON.timestamp()
    monkeypatch.setattr(time, "time", lambda: clock)
    gallery()

    dynamo_people(table).commit(PersonChange(None, ANN), [FACE], base=0, gallery=GallerySet(1), now=NOON)
    clock += 45
    gallery()
    gallery._read_at_s = float("-inf")
    clock += 600
    gallery()

    assert told[-1] == 45


def test_a_gallery_that_was_replaced_without_use_is_not_reported_as_outdated(
    table: Any, monkeypatch: pytest.MonkeyPatch
):
    told: list[float] = []
    gallery = cached_gallery(table, on_use=told.append)
    monkeypatch.setattr(time, "time", lambda: NOON.timestamp() - 600)
    gallery()

    dynamo_people(table).commit(PersonChange(None, ANN), [FACE], base=0, gallery=GallerySet(1), now=NOON)
    gallery()

    assert told == [0, 0]


@pytest.mark.parametrize("incomplete_spaces", [frozenset({"s"}), frozenset()])
def test_an_incomplete_gallery_is_not_used(table: Any, incomplete_spaces: frozenset[str]):
    stored = {"s": ["gallery/1"]} if incomplete_spaces else {"other": ["gallery/1"]}
    rows = DynamoPeople(table, "t", store_gallery=lambda _: stored)
    rows.commit(
        PersonChange(None, ANN),
        [FACE],
        base=0,
        gallery=GallerySet(1, incomplete_spaces=incomplete_spaces),
        now=NOON,
    )

    with pytest.raises(GalleryIncomplete, match="not all enrolled"):
        cached_gallery(table)()


def test_galleries_have_pointers_and_names_of_their_own(table: Any):
    rows, member = dynamo_people(table), Person("p-2", "Ann", gallery="members")

    rows.commit(PersonChange(None, ANN), [FACE], base=0, gallery=GallerySet(1), now=NOON)
    rows.commit(PersonChange(None, member), [FACE], base=0, gallery=GallerySet(1, name="members"), now=NOON)
    rows.replace_gallery(base=1, gallery=GallerySet(2, name="members"), now=NOON)

    assert rows.gallery_names() == ["default", "members"]
    assert [rows.gallery_pointer(name).version for name in ("default", "members", "never")] == [1, 2, 0]
    assert (rows.find_by_name("Ann", "default"), rows.find_by_name("ann", "members")) == (ANN, member)


def test_a_photo_gains_a_vector_of_another_space_and_loses_it_again(table: Any):
    dynamo_people(table).commit(PersonChange(None, ANN), [FACE], base=0, gallery=GallerySet(1), now=NOON)
    templates, vector = DynamoTemplates(table, "t"), np.full(4, 0.5, np.float32)
    (photo,) = templates.photos_of(ANN.id)

    templates.add_vector(ANN.id, photo.key, "new", vector)
    templates.add_vector("p-gone", photo.key, "new", vector)
    both = templates.vectors(ANN.id)
    templates.delete_vectors(ANN.id, "new")

    assert both.keys() - photo.vectors.keys() == {"new"}
    np.testing.assert_array_equal(both["new"], [vector])
    assert templates.vectors(ANN.id).keys() == photo.vectors.keys()
    assert list(templates.photos_of("p-gone")) == []


def test_each_use_of_the_gallery_reports_its_age(table: Any):
    ages: list[float] = []
    gallery = cached_gallery(table, max_age_s=60, on_use=ages.append)

    gallery()
    gallery()

    assert ages[0] == 0.0
    assert 0 < ages[1] < 1


def test_a_segment_is_stored_under_a_key_of_its_own(bucket: Any):
    store = S3Store(bucket, "bucket")

    first, second = (
        store.save_gallery_segment("default", 1, b"one"),
        store.save_gallery_segment("default", 1, b"two"),
    )

    assert (store.get_object(first), store.get_object(second)) == (b"one", b"two")


def test_photos_that_wait_to_be_enrolled_are_discarded_by_person(bucket: Any):
    store = S3Store(bucket, "bucket")
    kept = store.save_pending_photo("p-2", b"other")
    for _ in range(2):
        store.save_pending_photo("p-1", b"face")

    assert store.delete_pending_photos("p-1") == 2

    left = bucket.list_object_versions(Bucket="bucket", Prefix="enrol/")
    assert [one["Key"] for one in left["Versions"]] == [kept.key]
    assert "DeleteMarkers" not in left


def test_old_segments_go_but_not_one_that_is_about_to_be_put_in_force(bucket: Any):
    store = S3Store(bucket, "bucket")
    before, now, coming = (store.save_gallery_segment("default", version, b"faces") for version in (1, 2, 3))

    assert store.delete_unused_segments("default", 2, [now]) == 1

    with pytest.raises(Transient):
        store.get_object(before)
    assert (store.get_object(now), store.get_object(coming)) == (b"faces", b"faces")


def test_segments_of_other_galleries_stay(bucket: Any):
    store = S3Store(bucket, "bucket")
    staff, members = (store.save_gallery_segment(name, 1, b"faces") for name in ("staff", "members"))

    assert store.delete_unused_segments("staff", 1, []) == 1

    with pytest.raises(Transient):
        store.get_object(staff)
    assert store.get_object(members) == b"faces"


def test_an_erased_object_leaves_no_version(bucket: Any):
    version = bucket.put_object(Bucket="bucket", Key="k", Body=b"face")["VersionId"]

    S3Store(bucket, "bucket").delete_version(S3Object("bucket", "k", version))

    assert "Versions" not in bucket.list_object_versions(Bucket="bucket")


def test_a_list_is_newest_first_over_days_from_a_moment_and_up_to_another(table: Any):
    times = [NOON - timedelta(hours=7 * n) for n in range(12)]
    ledger = DynamoLedger(table, "t", faces="faces", lane="live", retention=timedelta(days=9))
    for number, at in enumerate(times):
        drop = Drop(f"id{number}", "faces", "door", InlinePayload(b""), at)
        ledger.claim(drop, owner="w", now=at, until=at)

    records = DynamoDropReader(table, "t")
    before = listing_attributes("drops", "id2", times[2])["list_at"]

    newest = islice(records.list_drops(since=times[-1]), 10)
    assert [drop.drop_id for drop in newest] == [f"id{n}" for n in range(10)]
    page = records.list_drops(since=times[8], before=before, page_size=2)
    assert [drop.drop_id for drop in page] == ["id3", "id4", "id5", "id6", "id7", "id8"]
    elsewhere = times[1].astimezone(timezone(timedelta(hours=-9)))
    assert [drop.drop_id for drop in records.list_drops(since=elsewhere)] == ["id0", "id1"]
    assert not list(records.list_drops(since=NOON, before=before, page_size=2))


def test_a_drop_is_found_by_its_object(table: Any):
    ledger = DynamoLedger(table, "t", faces="faces", lane="live", retention=timedelta(days=1))
    drop = Drop("d1", "faces", "door", S3Object("bucket", "live/faces/door/a.jpg", "v1"), NOON)
    claim = ledger.claim(drop, owner="w", now=NOON, until=NOON)
    assert isinstance(claim, Lease)
    ledger.save_result(
        claim,
        drop,
        ProcessingResult(Prediction((Sighting("unknown", "unknown"),), 1), "r", (), None, {}),
        now=NOON,
    )
    records = DynamoDropReader(table, "t")

    assert records.drops_of_object("s3://bucket/live/faces/door/a.jpg") == ["d1"]
    assert [sighting.status for sighting in records.sightings("d1")] == ["unknown"]
    found = records.find_drop_details("d1")
    assert found is not None
    assert (found.drop.state, [sighting.status for sighting in found.sightings]) == ("done", ["unknown"])
    assert found.drop.s3_object == drop.payload
    assert records.find_drop_details("d2") is None


def test_publishing_continues_at_the_first_event_that_was_not_accepted():
    class Picky:
        def publish_batch(self, **request: Any) -> Any:
            entries = request["PublishBatchRequestEntries"]
            return {"Failed": [{"Id": entry["Id"]} for entry in entries if entry["Message"] == '"12"']}

    facts = [(f"mark-{n}", OutboundEvent(str(n), {"type": "t"})) for n in range(25)]  # type: ignore[arg-type]

    assert SnsTopic(Picky(), "arn").publish(facts) == "mark-12"
    assert SnsTopic(Picky(), "arn").publish(facts[:12]) == ""


def test_an_object_without_a_version_is_read_in_the_one_that_is_its_newest(bucket: Any):
    first, second = (
        bucket.put_object(Bucket="bucket", Key="k", Body=body)["VersionId"] for body in (b"1", b"2")
    )
    reader = S3InputReader(bucket)

    assert reader.with_version(S3Object("bucket", "k")).version == second
    assert reader.with_version(S3Object("bucket", "k", first)).version == first
    with pytest.raises(ObjectNotFound):
        reader.with_version(S3Object("bucket", "absent"))
