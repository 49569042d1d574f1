"""Erasing: out of the gallery first, the profile last, and again from where it stopped."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest

from tests.fakes.memory import NOON
from vigil.drops.messages import S3Object
from vigil.errors import ConcurrentUpdate, Transient
from vigil.people.enrolment import Person, PersonNotFound
from vigil.people.erasure import ErasureReceipt, ErasureService, erase_person
from vigil.people.gallery_pointer import GalleryPointer

ADA = Person("p-ada", "Ada")
PHOTO = S3Object("photos", "live/faces/door/a.jpg", "1")


@dataclass(frozen=True)
class FakeGallery:
    version: int = 3
    people: frozenset[str] = frozenset({"p-ada", "p-bob"})
    incomplete_spaces: frozenset[str] = frozenset()


@dataclass
class FakeErasure:
    """Rows, traces, gallery and objects, which write in a diary what is done to them."""

    gallery: FakeGallery = field(default_factory=FakeGallery)
    people: dict[str, Person] = field(default_factory=lambda: {ADA.id: ADA})
    calls: list[str] = field(default_factory=list)
    receipts: dict[str, ErasureReceipt] = field(default_factory=dict)
    concurrent_updates: int = 0
    fails_at: str = ""

    def begin_erasure(self, person_id: str, now: datetime) -> Person | None:
        return self.people.get(person_id)

    def withdraw_consent(self, person_id: str) -> None:
        self._record("close")

    def gallery_pointer(self) -> GalleryPointer:
        return GalleryPointer(self.gallery.version, {"space": f"gallery/{self.gallery.version}"})

    def replace_gallery(self, *, base: int, gallery: FakeGallery, now: datetime) -> None:
        if self.concurrent_updates:
            self.concurrent_updates -= 1
            self.gallery = replace(self.gallery, version=self.gallery.version + 1)
        if base != self.gallery.version:
            raise ConcurrentUpdate("later")
        self._record("withdraw")
        self.gallery = gallery

    def remove_from_datasets(self, person: str) -> int:
        self._record("unlearn")
        return 3

    def delete_templates(self, person: Person) -> int:
        self._record("forget")
        return 2

    def delete_profile(self, person_id: str) -> None:
        self._record("gone")
        self.people.pop(person_id, None)

    def save_receipt(self, erased: ErasureReceipt) -> None:
        self._record("tell")
        self.receipts[erased.person] = erased

    def find_receipt(self, person: str) -> ErasureReceipt | None:
        return self.receipts.get(person)

    def mark_being_erased(self, person: str, now: datetime) -> None:
        self._record("end")

    def remove_references(self, person: str) -> Iterable[str]:
        self._record("traces")
        yield from ("sightings", "sightings", "alerts")

    def recognised_photos(self, person: str) -> Iterable[S3Object]:
        yield PHOTO

    def delete_cached_answers(self, person: str) -> int:
        return 0

    def delete_pending_photos(self, person: str) -> int:
        self._record("discard")
        return 1

    def delete_object_version(self, item: S3Object) -> None:
        self._record(f"shred {item.key}")

    def delete_snapshots(self, version: int, keys: Collection[str]) -> int:
        assert version == self.gallery.version
        self._record(f"keep only {', '.join(keys)}")
        return 4

    def _record(self, what: str) -> None:
        if what.split(" ", maxsplit=1)[0] == self.fails_at:
            self.fails_at = ""
            raise Transient(what, dependency="records", operation="erase")
        self.calls.append(what)


def erasure_service(fake: FakeErasure) -> ErasureService[FakeGallery]:
    return ErasureService(
        records=fake,
        personal_data=fake,
        read_gallery=lambda: fake.gallery,
        contains=lambda book, person: person in book.people,
        without_person=lambda book, person: FakeGallery(book.version + 1, book.people - {person}),
        remove_from_datasets=fake.remove_from_datasets,
        remove_unknown_faces=lambda _: 0,
        delete_pending_photos=fake.delete_pending_photos,
        wait_for_index=lambda: fake._record("settle"),
        delete_snapshots=fake.delete_snapshots,
        delete_object_version=fake.delete_object_version,
        clock=lambda: NOON,
    )


def test_the_gallery_changes_first_and_the_profile_goes_last():
    world = FakeErasure()

    told = erase_person("p-ada", erasure_service(world))

    assert world.calls == [
        "end",
        "withdraw",
        "close",
        "settle",
        "keep only gallery/4",
        "discard",
        "shred live/faces/door/a.jpg",
        "traces",
        "unlearn",
        "forget",
        "tell",
        "gone",
    ]
    assert told.counts == {
        "snapshots": 4,
        "photos": 2,
        "sightings": 2,
        "alerts": 1,
        "examples": 3,
        "faces": 0,
        "answers": 0,
        "templates": 2,
    }
    assert (world.gallery.people, told.gallery_version) == (frozenset({"p-bob"}), 4)


def test_an_enrolment_that_crosses_makes_it_try_again():
    world = FakeErasure(concurrent_updates=2)

    erase_person("p-ada", erasure_service(world))

    assert world.gallery == FakeGallery(6, frozenset({"p-bob"}))


@pytest.mark.parametrize(
    "fails_at",
    [
        "end",
        "withdraw",
        "close",
        "settle",
        "keep",
        "discard",
        "shred",
        "traces",
        "unlearn",
        "forget",
        "tell",
        "gone",
    ],
)
def test_what_fails_half_way_is_finished_by_doing_it_again(fails_at: str):
    world = FakeErasure(fails_at=fails_at)
    with pytest.raises(Transient):
        erase_person("p-ada", erasure_service(world))

    erase_person("p-ada", erasure_service(world))

    assert "p-ada" not in world.people
    assert "p-ada" not in world.gallery.people


def test_an_answer_that_was_lost_is_given_again():
    world = FakeErasure()
    first = erase_person("p-ada", erasure_service(world))
    world.calls.clear()

    again = erase_person("p-ada", erasure_service(world))

    assert again == first
    assert world.calls == ["gone"]


def test_what_was_erased_is_told_in_full_by_whoever_deletes_the_profile_at_last():
    world = FakeErasure(fails_at="gone")
    with pytest.raises(Transient):
        erase_person("p-ada", erasure_service(world))

    assert erase_person("p-ada", erasure_service(world)).counts["photos"] > 0


def test_somebody_who_never_was_is_nobody():
    with pytest.raises(PersonNotFound):
        erase_person("p-eve", erasure_service(FakeErasure()))
