"""Galleries on S3 and DynamoDB: an enrolment stores one small segment, and an erasure leaves none behind."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from cloud.dynamodb.people import DynamoPeople
from cloud.s3.objects import S3Store
from tests.fakes.memory import NOON
from tests.unit.people.builders import SPACE, template, unit_vector
from vigil.faces.enrolment_check import add_templates
from vigil.faces.gallery import Gallery, GallerySet, build_gallery
from vigil.faces.segments import EnrolledPerson, InvalidSnapshot, serialize_segment
from vigil.people.galleries import GalleryRepository, store_changed_segments
from vigil.people.person import Person, PersonChange


@dataclass
class RecordedStore:
    """The store, with the keys of the segments that were read and the sizes of those that were stored."""

    store: S3Store
    read: list[str] = field(default_factory=list)
    stored: list[int] = field(default_factory=list)

    def get_object(self, key: str) -> bytes:
        self.read.append(key)
        return self.store.get_object(key)

    def save_gallery_segment(self, gallery: str, version: int, data: bytes) -> str:
        self.stored.append(len(data))
        return self.store.save_gallery_segment(gallery, version, data)


@pytest.fixture
def store(bucket: Any) -> RecordedStore:
    return RecordedStore(S3Store(bucket, "bucket"))


@pytest.fixture
def people(table: Any, store: RecordedStore) -> DynamoPeople:
    return DynamoPeople(table, "t", store_gallery=partial(store_changed_segments, store))


def start_with(people: DynamoPeople, ids: Iterable[str]) -> None:
    gallery = build_gallery(SPACE, [EnrolledPerson(one, unit_vector(one)[None]) for one in ids])
    people.replace_gallery(base=0, gallery=GallerySet(1, {SPACE: gallery}), now=NOON)


def with_enrolled(galleries: GallerySet, name: str) -> GallerySet:
    return galleries.apply(lambda one: add_templates(one, name, [template(name)], frozenset()))


def enrol(people: DynamoPeople, repository: GalleryRepository, name: str) -> None:
    before = repository.read("default")
    after = with_enrolled(before, name)
    change = PersonChange(None, Person(name, name))
    people.commit(change, [template(name)], base=before.version, gallery=after, now=NOON)


def test_an_enrolment_stores_and_loads_one_segment_whatever_the_size_of_the_gallery(
    people: DynamoPeople, store: RecordedStore
):
    start_with(people, [f"p{n:03}" for n in range(500)])
    repository = GalleryRepository(people, store)
    before = repository.read("default").by_space[SPACE]
    store.stored.clear()
    store.read.clear()

    enrol(people, repository, "new")
    after = repository.read("default").by_space[SPACE]

    assert (len(after), len(store.stored), len(store.read)) == (501, 1, 1)
    assert store.stored[0] < 1000
    assert after.segments[0] is before.segments[0]


def test_segments_that_were_replaced_are_deleted_and_those_in_use_are_not(
    people: DynamoPeople, store: RecordedStore, bucket: Any
):
    repository = GalleryRepository(people, store)
    start_with(people, ["p0"])
    for n in range(1, 9):
        enrol(people, repository, f"p{n}")

    pointer = people.gallery_pointer("default")
    store.store.delete_unused_segments("default", pointer.version, pointer.keys)

    left = bucket.list_object_versions(Bucket="bucket", Prefix="gallery/")
    assert {one["Key"] for one in left["Versions"]} == pointer.keys
    assert len(pointer.keys) <= 4
    fresh = GalleryRepository(people, store.store).read("default")
    assert fresh.person_ids() == tuple(f"p{n}" for n in range(9))


@pytest.mark.parametrize("others", [["bob"], []])
def test_an_erasure_deletes_the_segment_of_an_enrolment_that_died_before_its_commit(
    people: DynamoPeople, store: RecordedStore, bucket: Any, others: list[str]
):
    if others:
        start_with(people, others)
    repository = GalleryRepository(people, store)
    read = repository.read("default")
    base = read if read.by_space else GallerySet(0, {SPACE: Gallery(SPACE)})
    store_changed_segments(store, with_enrolled(base, "ada"))

    now = repository.read("default")
    removed = now.apply(lambda one: one.without_person("ada"))
    people.replace_gallery(base=now.version, gallery=removed, now=NOON)
    pointer = people.gallery_pointer("default")
    store.store.delete_unused_segments("default", pointer.version, pointer.keys)

    left = bucket.list_object_versions(Bucket="bucket", Prefix="gallery/").get("Versions", ())
    bodies = [bucket.get_object(Bucket="bucket", Key=one["Key"])["Body"].read() for one in left]
    assert not [body for body in bodies if b"ada" in body]
    assert len(bodies) == len(others)


def test_a_segment_of_another_embedding_space_is_refused(people: DynamoPeople, store: RecordedStore):
    (segment,) = build_gallery("other", [EnrolledPerson("p", unit_vector("p")[None])]).segments
    key = store.save_gallery_segment("default", 1, serialize_segment(segment, "other"))

    with pytest.raises(InvalidSnapshot, match="embedding space other"):
        GalleryRepository(people, store).load(SPACE, [key])
