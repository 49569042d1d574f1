"""Enrolment: every photo is checked against the galleries that the new ones are built from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest

from tests.fakes.memory import NOON
from tests.unit.people.builders import SPACE, gallery_set, photo_counts, template, unit_vector
from vigil.drops.messages import S3Object
from vigil.errors import ConcurrentUpdate, ObjectTooLarge, Rejected
from vigil.faces.enrolment_check import Template
from vigil.faces.gallery import Gallery, GallerySet
from vigil.people.enrolment import REVIEW_TAG, EnrolmentService, InvalidEnrolment
from vigil.people.galleries import MAX_ATTEMPTS
from vigil.people.person import InvalidName, Person, PersonChange, PersonNotFound


class FaceTaken(Rejected):
    reason = "already-enrolled"
    person = "p-0123456789ab"


class NoFaceFound(Rejected):
    reason = "no-face"


class OtherFace(Rejected):
    reason = "inconsistent-face"


@dataclass
class MemoryPeople:
    """Ports PeopleStore and GalleryReader.

    concurrent_galleries  what other enrolments put in force, one before each commit
    """

    galleries: GallerySet = field(default_factory=GallerySet)
    named_people: dict[str, Person] = field(default_factory=dict)
    concurrent_galleries: list[GallerySet] = field(default_factory=list)

    def read(self, name: str) -> GallerySet:
        return self.galleries if name == self.galleries.name else GallerySet(name=name)

    def find_by_name(self, name: str, gallery: str) -> Person | None:
        found = self.named_people.get(name)
        return found if found and found.gallery == gallery else None

    def find_person(self, person_id: str) -> Person | None:
        return next((one for one in self.named_people.values() if one.id == person_id), None)

    def commit(
        self,
        change: PersonChange,
        templates: Sequence[Template],
        *,
        base: int,
        gallery: GallerySet,
        now: datetime,
    ) -> None:
        if self.concurrent_galleries:
            self.galleries = self.concurrent_galleries.pop()
        if self.read(gallery.name).version != base:
            raise ConcurrentUpdate("later")
        self.galleries, self.named_people[change.after.name] = gallery, change.after


class NamedFaces:
    """Port EnrolmentModels: the bytes of a photo name the face in it."""

    max_bytes = 1000

    def embedding_spaces(self) -> Sequence[str]:
        return [SPACE]

    def create_template(self, photo: bytes, galleries: GallerySet, person: str) -> Template:
        if photo == b"blank":
            raise NoFaceFound("no face")
        found = template(photo.decode())
        for other in galleries.for_space(SPACE).without_person(person).people:
            if (other.templates @ found.vectors[SPACE] > 0.9999).any():
                raise FaceTaken("the face of another person")
        return found

    def find_inconsistent(
        self, galleries: GallerySet, person: str, templates: Sequence[Template]
    ) -> Mapping[int, Rejected]:
        """Eve's photo among anybody else's."""
        is_eve = [bool((one.vectors[SPACE] == unit_vector("eve")).all()) for one in templates]
        return {index: OtherFace("another face") for index, eve in enumerate(is_eve) if eve != is_eve[0]}

    def is_spread_too_far(self, galleries: GallerySet, person: str, templates: Sequence[Template]) -> bool:
        """Whoever is not herself."""
        return any((one.vectors[SPACE] == unit_vector("far")).all() for one in templates)


@dataclass
class PendingPhotos:
    """Ports PhotoReader and PhotoRemover: the content of a photo is its key."""

    deleted: list[S3Object] = field(default_factory=list)

    def fetch(self, item: S3Object, max_bytes: int) -> bytes:
        if item.key == "large":
            raise ObjectTooLarge("20,000,001 bytes")
        return item.key.encode()

    def delete_version(self, item: S3Object) -> None:
        self.deleted.append(item)


def service(people: MemoryPeople, photos: PendingPhotos | None = None) -> EnrolmentService:
    pending = photos or PendingPhotos()
    return EnrolmentService(
        people=people,
        galleries=people,
        models=NamedFaces(),
        photos=pending,
        store=pending,
        store_reference_images=False,
        clock=lambda: NOON,
    )


def photos(*keys: str) -> list[S3Object]:
    return [S3Object("store", key) for key in keys]


def templates_of(people: MemoryPeople, person: str) -> list[list[float]]:
    found = people.galleries.for_space(SPACE).person(person)
    return [] if found is None else [[float(one) for one in row] for row in found.templates]


def test_a_new_person_is_added_to_the_next_galleries():
    people = MemoryPeople()

    enrolment = service(people).enrol_by_name(" Ann ", photos("ann"), frozenset({"watch"}))

    assert (enrolment.gallery_version, people.galleries.version) == (1, 1)
    assert photo_counts(people.galleries) == {enrolment.person.id: 1}
    assert people.galleries.tags_for(enrolment.person.id) == {"watch"}
    assert people.find_by_name("Ann", "default") == enrolment.person


def test_the_id_of_a_person_does_not_depend_on_the_name():
    ids = {service(MemoryPeople()).enrol_by_name("Ann", photos("ann")).person.id for _ in range(2)}

    assert len(ids) == 2
    assert all(one[2:].isalnum() for one in ids)


def test_the_same_name_is_the_same_person_with_more_templates_and_tags():
    people = MemoryPeople()
    first = service(people).enrol_by_name("Ann", photos("ann"), frozenset({"staff"}))

    second = service(people).enrol_by_name("Ann", photos("an2"), frozenset({"watch"}))

    assert first.person.id == second.person.id
    assert second.person.tags == {"staff", "watch"}
    assert photo_counts(people.galleries) == {first.person.id: 2}


def test_the_same_face_and_name_may_be_enrolled_in_each_gallery():
    people = MemoryPeople()
    service(people).enrol_by_name("Ann", photos("ann"))

    member = service(people).enrol_by_name("Ann", photos("ann"), gallery="members").person

    assert (member.gallery, people.galleries.name) == ("members", "members")
    assert photo_counts(people.galleries) == {member.id: 1}


def test_unusable_photos_are_rejected_and_the_others_accepted():
    enrolment = service(MemoryPeople()).enrol_by_name("Ann", photos("blank", "ann"))

    assert [photo.reason for photo in enrolment.rejected] == ["no-face"]
    assert [photo.key for photo in enrolment.accepted] == ["ann"]


def test_a_photo_of_another_face_is_rejected_and_the_others_accepted():
    people = MemoryPeople()

    enrolment = service(people).enrol_by_name("Ann", photos("ann", "eve"))

    assert [(one.photo.key, one.reason) for one in enrolment.rejected] == [("eve", "inconsistent-face")]
    (stored,) = templates_of(people, enrolment.person.id)
    assert stored == pytest.approx(list(map(float, unit_vector("ann"))), abs=1e-3)


def test_nothing_changes_if_every_photo_is_rejected():
    people = MemoryPeople()

    enrolment = service(people).enrol_by_name("Ann", photos("blank"))

    assert (enrolment.accepted, people.galleries.version, people.named_people) == ((), 0, {})


def test_the_face_of_another_person_is_rejected():
    people = MemoryPeople()
    service(people).enrol_by_name("Ann", photos("ann"))

    enrolment = service(people).enrol_by_name("Eve", photos("ann"))

    assert [(photo.reason, photo.person) for photo in enrolment.rejected] == [
        ("already-enrolled", "p-0123456789ab")
    ]


def test_two_names_for_one_face_enrolled_at_once_end_as_one_person():
    people = MemoryPeople(concurrent_galleries=[gallery_set(["ann"], version=1)])

    enrolment = service(people).enrol_by_name("Eve", photos("ann"))

    assert [photo.reason for photo in enrolment.rejected] == ["already-enrolled"]


def test_an_enrolment_with_a_concurrent_change_at_every_attempt_fails_as_transient():
    changes = [gallery_set(version=version) for version in range(MAX_ATTEMPTS, 0, -1)]
    people = MemoryPeople(concurrent_galleries=changes)

    with pytest.raises(ConcurrentUpdate):
        service(people).enrol_by_name("Ann", photos("ann"))


def test_photos_are_deleted_after_they_were_examined():
    pending = PendingPhotos()

    service(MemoryPeople(), pending).enrol_by_name("Ann", photos("blank", "ann"))

    assert pending.deleted == photos("blank", "ann")


def test_photos_are_deleted_although_the_person_does_not_exist():
    pending = PendingPhotos()

    with pytest.raises(PersonNotFound):
        service(MemoryPeople(), pending).enrol_by_id("p-0", photos("ann"))

    assert pending.deleted == photos("ann")


@pytest.mark.parametrize(("name", "keys"), [(" ", ["a"]), ("x" * 101, ["a"]), ("Ann", []), ("A", ["a"] * 21)])
def test_a_request_without_name_or_with_no_or_too_many_photos_is_rejected(name: str, keys: list[str]):
    with pytest.raises((InvalidEnrolment, InvalidName)):
        service(MemoryPeople()).enrol_by_name(name, photos(*keys))


def test_one_photo_that_cannot_be_read_is_refused_by_its_key_and_the_others_are_enrolled():
    people, pending = MemoryPeople(), PendingPhotos()

    enrolment = service(people, pending).enrol_by_name("Ann", photos("ann1", "large", "ann2"))

    assert [photo.key for photo in enrolment.accepted] == ["ann1", "ann2"]
    assert [(one.photo.key, one.reason) for one in enrolment.rejected] == [("large", "object-too-large")]
    assert pending.deleted == photos("ann1", "large", "ann2")


def test_identical_files_count_once():
    enrolment = service(MemoryPeople()).enrol_by_name("Ann", photos("ann", "ann", "bob"))

    assert [photo.key for photo in enrolment.accepted] == ["ann", "bob"]
    assert [one.reason for one in enrolment.rejected] == ["duplicate-photo"]


def test_a_person_whose_templates_spread_too_far_is_tagged_for_review():
    people = MemoryPeople()
    enrol = service(people).enrol_by_name

    assert enrol("Ann", photos("ann")).person.tags == frozenset()
    assert enrol("Ann", photos("far")).person.tags == {REVIEW_TAG}
    assert people.galleries.tags_for(people.named_people["Ann"].id) == {REVIEW_TAG}


def test_a_person_known_by_id_gets_more_templates_under_the_same_name():
    people = MemoryPeople()
    person = service(people).enrol_by_name("Ada", photos("ada1")).person

    again = service(people).enrol_by_id(person.id, photos("ada2"))

    assert (again.person, photo_counts(people.galleries)) == (person, {person.id: 2})


def test_an_unknown_id_cannot_be_enrolled():
    with pytest.raises(PersonNotFound):
        service(MemoryPeople()).enrol_by_id("p-nobody", photos("ada1"))


def test_an_enrolment_leaves_a_person_whom_a_gallery_lacks_to_reembedding():
    people = MemoryPeople()
    person = service(people).enrol_by_name("Ada", photos("ada1")).person
    further = {**people.galleries.by_space, "further": Gallery("further")}
    people.galleries = replace(people.galleries, by_space=further, incomplete_spaces=frozenset({"further"}))

    service(people).enrol_by_id(person.id, photos("ada2"))

    assert photo_counts(people.galleries) == {person.id: 2}
    assert photo_counts(people.galleries, "further") == {}


def test_tags_are_added_and_removed_in_profile_and_galleries():
    people = MemoryPeople()
    person = service(people).enrol_by_name("Ada", photos("ada1"), frozenset({"staff"})).person

    tags = []
    for add, remove in (({"watch"}, set()), ({"watch"}, set()), (set(), {"watch"})):
        updated = service(people).update_tags(person.id, add=frozenset(add), remove=frozenset(remove))
        tags.append(sorted(updated.tags))
        assert people.galleries.tags_for(person.id) == updated.tags

    assert tags == [["staff", "watch"], ["staff", "watch"], ["staff"]]
    assert people.galleries.version == 3


def test_a_tag_update_survives_a_concurrent_enrolment():
    people = MemoryPeople()
    person = service(people).enrol_by_name("Ada", photos("ada1")).person
    people.concurrent_galleries = [replace(people.galleries, version=9)]

    tagged = service(people).update_tags(person.id, add=frozenset({"watch"}), remove=frozenset())

    assert (set(tagged.tags), people.galleries.version) == ({"watch"}, 10)
