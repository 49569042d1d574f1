"""Deletion of a gallery: everybody's erasure begins before the gallery is gone."""

from collections.abc import Callable
from datetime import datetime

from tests.fakes.memory import NOON
from tests.unit.people.builders import gallery_set
from vigil.errors import ConcurrentUpdate
from vigil.faces.gallery import GallerySet
from vigil.people.gallery_erasure import GalleryErasure
from vigil.people.person import ErasureProgress, Person


class FakeRecords:
    """A gallery of Ada and Bob, and Cleo, who has no template; somebody may be enrolled meanwhile."""

    def __init__(self, *enrolled_meanwhile: GallerySet) -> None:
        self.galleries = gallery_set(["p-ada", "p-bob"], version=3)
        self.enrolled_meanwhile = iter(enrolled_meanwhile)
        self.begun: list[str] = []
        self.is_deleted = False

    def read(self, name: str) -> GallerySet:
        return self.galleries

    def people_in(self, gallery: str) -> list[str]:
        return ["p-ada", "p-cleo"]

    def begin_erasure(self, person_id: str, now: datetime) -> Person | None:
        return Person(person_id, person_id) if person_id not in self.begun else None

    def mark_being_erased(self, person: str, now: datetime) -> None:
        assert not self.is_deleted

    def begin_progress(self, person: str, now: datetime) -> ErasureProgress:
        self.begun.append(person)
        return ErasureProgress(person, now, "galleries", {})

    def delete_gallery(self, *, base: int, gallery: GallerySet, now: datetime) -> None:
        self.galleries = next(self.enrolled_meanwhile, self.galleries)
        if base != self.galleries.version:
            raise ConcurrentUpdate("later")
        self.galleries, self.is_deleted = gallery, True


def delete(fake: FakeRecords, has_time: Callable[[], bool] = lambda: True) -> bool:
    return GalleryErasure(fake, fake, fake, lambda: NOON).delete_gallery("staff", has_time)


def test_everybody_is_erased_also_who_has_no_template_or_is_not_in_the_index_yet():
    fake = FakeRecords()

    assert delete(fake)
    assert sorted(fake.begun) == ["p-ada", "p-bob", "p-cleo"]
    assert (fake.galleries.version, fake.galleries.person_ids()) == (4, ())


def test_whoever_is_enrolled_meanwhile_is_erased_too():
    fake = FakeRecords(gallery_set(["p-ada", "p-bob", "p-dan"], version=4))

    assert delete(fake)
    assert "p-dan" in fake.begun


def test_without_time_the_gallery_remains_and_a_further_call_continues():
    fake, times = FakeRecords(), iter([True, False, False])

    assert not delete(fake, lambda: next(times))
    assert not fake.is_deleted
    assert delete(fake)
    assert sorted(fake.begun) == ["p-ada", "p-bob", "p-cleo"]
