"""Enrolment: all that a person brings is judged against the gallery that the new one grows from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes.memory import NOON
from vigil.drops.messages import S3Object
from vigil.errors import ConcurrentUpdate, Rejected
from vigil.inference.types import ReferenceImage
from vigil.people.enrolment import (
    MAX_ATTEMPTS,
    EnrolmentService,
    EnrolmentTemplate,
    InvalidEnrolment,
    Person,
    PersonChange,
    PersonNotFound,
    enrol_by_id,
    enrol_by_name,
    update_tags,
)


@dataclass(frozen=True)
class FakeTemplate:
    vectors: dict[str, NDArray[np.float32]]
    quality: float = 1.0
    box_px: tuple[float, float, float, float] = (0, 0, 1, 1)
    reference_image: ReferenceImage | None = None


@dataclass(frozen=True)
class FakeGallery:
    """A gallery that only remembers who is in it with what."""

    version: int = 0
    people: tuple[tuple[str, bytes], ...] = ()
    incomplete_spaces: frozenset[str] = frozenset()


class FaceTaken(Rejected):
    reason = "already-enrolled"


class NoFaceFound(Rejected):
    reason = "no-face"


class OtherFace(Rejected):
    reason = "inconsistent-face"


@dataclass
class MemoryPeople:
    """Port People, and the gallery in force."""

    gallery: FakeGallery = field(default_factory=FakeGallery)
    named_people: dict[str, Person] = field(default_factory=dict)
    concurrent_galleries: list[FakeGallery] = field(default_factory=list)

    def find_by_name(self, name: str) -> Person | None:
        return self.named_people.get(name)

    def find_person(self, person_id: str) -> Person | None:
        return next((one for one in self.named_people.values() if one.id == person_id), None)

    def commit(
        self,
        change: PersonChange,
        templates: Sequence[EnrolmentTemplate],
        *,
        base: int,
        gallery: FakeGallery,
        now: datetime,
    ) -> None:
        person = change.after
        if self.concurrent_galleries:
            self.gallery = self.concurrent_galleries.pop()
        if self.gallery.version != base:
            raise ConcurrentUpdate("later")
        self.gallery, self.named_people[person.name] = gallery, person


def create_template(photo: bytes, gallery: FakeGallery, person: str) -> FakeTemplate:
    if photo == b"blank":
        raise NoFaceFound("no face")
    if any(known == photo and owner != person for owner, known in gallery.people):
        raise FaceTaken("somebody else's face")
    return FakeTemplate({"s": np.frombuffer(photo.ljust(4, b"\0"), np.float32)})


def check_consistency(
    gallery: FakeGallery, person: str, templates: Sequence[FakeTemplate]
) -> dict[int, Rejected]:
    """Eve's photo among anybody else's."""
    names = [bytes(one.vectors["s"].tobytes()) for one in templates]
    return {
        index: OtherFace("another face") for index, name in enumerate(names) if name == b"eve\0" != names[0]
    }


def add_templates(
    gallery: FakeGallery, person: str, templates: Sequence[FakeTemplate], tags: frozenset[str]
) -> FakeGallery:
    faces = tuple((person, template.vectors["s"].tobytes().rstrip(b"\0")) for template in templates)
    return FakeGallery(gallery.version + 1, gallery.people + faces)


def service(
    people: MemoryPeople, erased: list[S3Object] | None = None
) -> EnrolmentService[FakeGallery, FakeTemplate]:
    return EnrolmentService(
        people=people,
        read_gallery=lambda: people.gallery,
        create_template=create_template,
        check_consistency=check_consistency,
        add_templates=add_templates,
        set_tags=lambda book, _person, _tags: FakeGallery(book.version + 1, book.people),
        fetch_photo=lambda photo: photo.key.encode(),
        delete_photo=(erased if erased is not None else []).append,
        clock=lambda: NOON,
    )


def photos(*keys: str) -> list[S3Object]:
    return [S3Object("store", key) for key in keys]


def test_a_person_is_taken_into_the_next_gallery():
    registry = MemoryPeople()

    enrolment = enrol_by_name(" Ann ", photos("ann"), frozenset({"watch"}), service(registry))

    assert (enrolment.gallery_version, registry.gallery.people) == (1, ((enrolment.person.id, b"ann"),))
    assert registry.find_by_name("Ann") == enrolment.person


def test_an_id_tells_nothing_of_a_name():
    assert enrol_by_name("Ann", photos("ann"), frozenset(), service(MemoryPeople())).person.id[2:].isalnum()


def test_the_same_name_is_the_same_person_with_more_templates_and_tags():
    registry = MemoryPeople()
    first = enrol_by_name("Ann", photos("ann"), frozenset({"staff"}), service(registry))

    second = enrol_by_name("Ann", photos("an2"), frozenset({"watch"}), service(registry))

    assert first.person.id == second.person.id
    assert second.person.tags == {"staff", "watch"}
    assert len(registry.gallery.people) == 2


def test_photos_that_will_not_do_are_refused_and_the_others_taken():
    enrolment = enrol_by_name("Ann", photos("blank", "ann"), frozenset(), service(MemoryPeople()))

    assert [refusal.reason for refusal in enrolment.rejected] == ["no-face"]
    assert [photo.key for photo in enrolment.accepted] == ["ann"]


def test_a_photo_of_somebody_else_among_a_persons_is_refused_and_the_others_taken():
    registry = MemoryPeople()

    enrolment = enrol_by_name("Ann", photos("ann", "eve"), frozenset(), service(registry))

    assert [(refusal.photo.key, refusal.reason) for refusal in enrolment.rejected] == [
        ("eve", "inconsistent-face")
    ]
    assert [known for _, known in registry.gallery.people] == [b"ann"]


def test_where_every_photo_is_refused_nothing_changes():
    registry = MemoryPeople()

    enrolment = enrol_by_name("Ann", photos("blank"), frozenset(), service(registry))

    assert (enrolment.accepted, registry.gallery, registry.named_people) == ((), FakeGallery(), {})


def test_a_face_that_is_somebody_elses_is_refused():
    registry = MemoryPeople()
    enrol_by_name("Ann", photos("ann"), frozenset(), service(registry))

    enrolment = enrol_by_name("Eve", photos("ann"), frozenset(), service(registry))

    assert [refusal.reason for refusal in enrolment.rejected] == ["already-enrolled"]


def test_two_names_for_one_face_enrolled_at_once_end_as_one_person():
    registry = MemoryPeople(concurrent_galleries=[FakeGallery(1, (("p-other", b"ann"),))])

    enrolment = enrol_by_name("Eve", photos("ann"), frozenset(), service(registry))

    assert [refusal.reason for refusal in enrolment.rejected] == ["already-enrolled"]


def test_who_is_always_overtaken_gives_up_and_may_try_again():
    registry = MemoryPeople(
        concurrent_galleries=[FakeGallery(version) for version in range(MAX_ATTEMPTS, 0, -1)]
    )

    with pytest.raises(ConcurrentUpdate):
        enrol_by_name("Ann", photos("ann"), frozenset(), service(registry))


def test_photos_are_erased_once_they_were_examined():
    erased: list[S3Object] = []

    enrol_by_name("Ann", photos("blank", "ann"), frozenset(), service(MemoryPeople(), erased))

    assert erased == photos("blank", "ann")


def test_photos_are_erased_too_where_nobody_can_be_enrolled():
    erased: list[S3Object] = []

    with pytest.raises(PersonNotFound):
        enrol_by_id("p-0", photos("ann"), service(MemoryPeople(), erased))

    assert erased == photos("ann")


@pytest.mark.parametrize(("name", "keys"), [(" ", ["a"]), ("x" * 101, ["a"]), ("Ann", []), ("A", ["a"] * 21)])
def test_a_request_for_nobody_or_without_photos_is_refused(name: str, keys: list[str]):
    with pytest.raises(InvalidEnrolment):
        enrol_by_name(name, photos(*keys), frozenset(), service(MemoryPeople()))


def test_somebody_known_by_id_gets_more_templates_under_the_same_name():
    registry = MemoryPeople()
    person = enrol_by_name("Ada", [S3Object("b", "ada1")], frozenset(), service(registry)).person

    again = enrol_by_id(person.id, [S3Object("b", "ada2")], service(registry))

    assert (again.person, [ident for ident, _ in registry.gallery.people]) == (person, [person.id] * 2)


def test_nobody_is_enrolled_under_an_id_that_nobody_has():
    with pytest.raises(PersonNotFound):
        enrol_by_id("p-nobody", [S3Object("b", "ada1")], service(MemoryPeople()))


def test_tags_are_put_and_dropped_and_the_gallery_moves_with_them():
    registry = MemoryPeople()
    person = enrol_by_name("Ada", [S3Object("b", "ada1")], frozenset({"staff"}), service(registry)).person

    on = update_tags(person.id, add=frozenset({"watch"}), remove=frozenset(), service=service(registry))
    same = update_tags(person.id, add=frozenset({"watch"}), remove=frozenset(), service=service(registry))
    off = update_tags(person.id, add=frozenset(), remove=frozenset({"watch"}), service=service(registry))

    assert [sorted(one.tags) for one in (on, same, off)] == [
        ["staff", "watch"],
        ["staff", "watch"],
        ["staff"],
    ]
    assert registry.gallery.version == 3


def test_tags_survive_an_enrolment_that_crosses():
    registry = MemoryPeople()
    person = enrol_by_name("Ada", [S3Object("b", "ada1")], frozenset(), service(registry)).person
    registry.concurrent_galleries = [FakeGallery(9, registry.gallery.people)]

    tagged = update_tags(person.id, add=frozenset({"watch"}), remove=frozenset(), service=service(registry))

    assert (set(tagged.tags), registry.gallery.version) == ({"watch"}, 10)
