"""Erasure: from the galleries first, the profile last; a repeated call continues."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes.memory import NOON
from tests.unit.people.builders import SPACE, gallery_set, unit_vector
from vigil.drops.messages import S3Object
from vigil.errors import ConcurrentUpdate, Transient
from vigil.faces.gallery import GallerySet
from vigil.people.erasure import ErasureService
from vigil.people.person import (
    ERASED_KINDS,
    DropReferences,
    ErasureProgress,
    ErasureReceipt,
    ErasureStep,
    GalleryPointer,
    Person,
    PersonNotFound,
)

ADA = Person("p-ada", "Ada")
PHOTO = S3Object("photos", "live/faces/door/a.jpg", "1")
STEPS = (
    "mark",
    "gallery",
    "consent",
    "wait",
    "snapshots",
    "pending",
    "object",
    "references",
    "examples",
    "faces",
    "templates",
    "receipt",
    "profile",
)


@dataclass
class FakeErasure:
    """All ports of an erasure; it records the order of the calls, and one of them can fail once."""

    galleries: GallerySet = field(default_factory=lambda: gallery_set(["p-ada", "p-bob"], version=3))
    people: dict[str, Person] = field(default_factory=lambda: {ADA.id: ADA})
    calls: list[str] = field(default_factory=list)
    receipts: dict[str, ErasureReceipt] = field(default_factory=dict)
    progress: dict[str, ErasureProgress] = field(default_factory=dict)
    drops: int = 1
    removed: list[str] = field(default_factory=list)
    concurrent_updates: int = 0
    fails_at: str = ""

    def read(self, name: str) -> GallerySet:
        return self.galleries

    def begin_erasure(self, person_id: str, now: datetime) -> Person | None:
        return self.people.get(person_id)

    def withdraw_consent(self, person_id: str) -> None:
        self._record("consent")

    def gallery_pointer(self, name: str) -> GalleryPointer:
        return GalleryPointer(self.galleries.version, {SPACE: (f"gallery/{self.galleries.version}",)})

    def replace_gallery(self, *, base: int, gallery: GallerySet, now: datetime) -> None:
        if self.concurrent_updates:
            self.concurrent_updates -= 1
            self.galleries = replace(self.galleries, version=self.galleries.version + 1)
        if base != self.galleries.version:
            raise ConcurrentUpdate("later")
        self._record("gallery")
        self.galleries = gallery

    def vectors(self, person: str) -> Mapping[str, NDArray[np.float32]]:
        return {SPACE: unit_vector(person)[None]}

    def remove_matching(
        self, vectors: Mapping[str, NDArray[np.float32]], cursor: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str]]:
        assert list(vectors) == [SPACE]
        self._record("faces")
        return 5, {}

    def remove_person(self, person: str, now: datetime) -> tuple[int, tuple[str, ...]]:
        self._record("examples")
        return 3, ("eye/damaged",)

    def delete_templates(self, person: Person) -> int:
        self._record("templates")
        return 2

    def delete_profile(self, person_id: str) -> None:
        self._record("profile")
        self.people.pop(person_id, None)

    def save_receipt(self, erased: ErasureReceipt) -> None:
        self._record("receipt")
        self.receipts[erased.person] = erased

    def find_receipt(self, person: str) -> ErasureReceipt | None:
        return self.receipts.get(person)

    def mark_being_erased(self, person: str, now: datetime) -> None:
        self._record("mark")

    def begin_progress(self, person: str, now: datetime) -> ErasureProgress:
        return self.progress.setdefault(
            person, ErasureProgress(person, now, "galleries", dict.fromkeys(ERASED_KINDS, 0))
        )

    def unfinished_erasures(self, now: datetime) -> Sequence[ErasureProgress]:
        return list(self.progress.values())

    def advance(
        self,
        progress: ErasureProgress,
        *,
        step: ErasureStep,
        cursor: Mapping[str, str],
        counts: Mapping[str, int],
        now: datetime,
    ) -> ErasureProgress:
        stored = self.progress[progress.person]
        total = {kind: count + counts.get(kind, 0) for kind, count in stored.counts.items()}
        self.progress[progress.person] = replace(progress, step=step, cursor=cursor, counts=total)
        return self.progress[progress.person]

    def delete_progress(self, person: str) -> None:
        self.progress.pop(person, None)

    def references(
        self, person: str, cursor: Mapping[str, str]
    ) -> tuple[Sequence[DropReferences], Mapping[str, str]]:
        """One drop on each page."""
        number = int(cursor.get("drop", 0))
        following = {"drop": str(number + 1)} if number + 1 < self.drops else {}
        return [DropReferences(((f"drop#{number}", "sighting#000"),), f"d{number}", PHOTO)], following

    def remove_references(self, person: str, found: DropReferences, now: datetime) -> None:
        self._record("references")
        self.removed.append(str(found.drop))
        counts = dict(self.progress[person].counts)
        for kind in ("photos", "sightings", "sightings", "alerts"):
            counts[kind] += 1
        self.progress[person] = replace(self.progress[person], counts=counts)

    def delete_cached_answers(
        self, person: Person, cursor: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str]]:
        return 0, {}

    def delete_pending_photos(self, person: str) -> int:
        self._record("pending")
        return 1

    def delete_photo(self, item: S3Object) -> None:
        assert item == PHOTO
        self._record("object")

    def delete_unused_segments(self, gallery: str, version: int, keys: Collection[str]) -> int:
        assert (version, list(keys)) == (self.galleries.version, [f"gallery/{version}"])
        self._record("snapshots")
        return 4

    def wait_for_index(self) -> None:
        self._record("wait")

    def _record(self, step: str) -> None:
        if step == self.fails_at:
            self.fails_at = ""
            raise Transient("away", dependency="records", operation=step)
        self.calls.append(step)


def service(fake: FakeErasure) -> ErasureService:
    return ErasureService(
        records=fake,
        personal_data=fake,
        galleries=fake,
        templates=fake,
        unknown_faces=fake,
        datasets=fake,
        objects=fake,
        wait_for_index=fake.wait_for_index,
        clock=lambda: NOON,
    )


def erase(fake: FakeErasure, person: str = "p-ada") -> ErasureReceipt:
    """A run that has time for everything."""
    receipt = service(fake).erase_person(person, lambda: True)
    assert isinstance(receipt, ErasureReceipt)
    return receipt


def test_the_galleries_change_first_and_the_profile_is_deleted_last():
    fake = FakeErasure()

    receipt = erase(fake)

    assert tuple(fake.calls) == STEPS
    assert receipt.unreadable_datasets == ("eye/damaged",)
    assert receipt.counts == {
        "snapshots": 4,
        "photos": 2,
        "sightings": 2,
        "alerts": 1,
        "labels": 0,
        "suppressions": 0,
        "examples": 3,
        "faces": 5,
        "answers": 0,
        "templates": 2,
    }
    assert (fake.galleries.person_ids(), receipt.gallery_version) == (("p-bob",), 4)


def test_the_gallery_gets_a_new_version_also_if_it_lacks_the_person():
    """An enrolment that began before can no longer be committed, and its segments are deleted."""
    fake = FakeErasure(gallery_set(["p-bob"], version=3))

    receipt = erase(fake)

    assert (fake.galleries.version, receipt.gallery_version) == (4, 4)
    assert tuple(fake.calls) == STEPS


def test_an_erasure_is_repeated_after_a_concurrent_enrolment():
    fake = FakeErasure(concurrent_updates=2)

    erase(fake)

    assert (fake.galleries.version, fake.galleries.person_ids()) == (6, ("p-bob",))


@pytest.mark.parametrize("fails_at", STEPS)
def test_a_failed_erasure_is_completed_by_the_next_call(fails_at: str):
    fake = FakeErasure(fails_at=fails_at)
    with pytest.raises(Transient):
        erase(fake)

    erase(fake)

    assert "p-ada" not in fake.people
    assert "p-ada" not in fake.galleries.person_ids()


def test_a_repeated_call_returns_the_same_receipt():
    fake = FakeErasure()
    first = erase(fake)
    fake.calls.clear()

    again = erase(fake)

    assert again == first
    assert fake.calls == ["profile"]


def test_the_call_that_deletes_the_profile_returns_the_complete_receipt():
    fake = FakeErasure(fails_at="profile")
    with pytest.raises(Transient):
        erase(fake)

    assert erase(fake).counts["photos"] > 0


def test_an_unknown_person_cannot_be_erased():
    with pytest.raises(PersonNotFound):
        erase(FakeErasure(), "p-eve")


def test_an_erasure_stops_when_its_time_is_over_and_each_run_continues_where_the_last_one_ended():
    fake, times = FakeErasure(drops=7), iter([True, True, True, False] * 20)

    runs = 0
    while isinstance(found := service(fake).erase_person("p-ada", lambda: next(times)), ErasureProgress):
        runs += 1
        assert found == fake.progress["p-ada"], "what the caller is told"

    assert runs > 2
    assert fake.removed == [f"d{number}" for number in range(7)]
    assert (found.counts["photos"], found.counts["sightings"], found.counts["snapshots"]) == (8, 14, 4)
    assert fake.progress == {}


def test_the_schedule_continues_erasures_and_forgets_those_that_are_complete():
    fake = FakeErasure()
    service(fake).erase_person("p-ada", lambda: False)

    assert service(fake).continue_erasures(lambda: True) == 1
    assert service(fake).continue_erasures(lambda: True) == 0
    assert "p-ada" not in fake.people


def test_the_progress_of_a_person_who_does_not_exist_is_deleted():
    fake = FakeErasure(people={})
    fake.begin_progress("p-ada", NOON)

    assert service(fake).continue_erasures(lambda: True) == 0
    assert fake.progress == {}
