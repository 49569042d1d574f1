"""What is kept of people: templates of their photos, galleries of these, and which are in force."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from vigil.drops.messages import S3Object
from vigil.errors import ConcurrentUpdate, Rejected
from vigil.inference.types import Box, ReferenceImage

if TYPE_CHECKING:  # people are read where there is no numpy
    import numpy as np
    from numpy.typing import NDArray


class EnrolmentTemplate(Protocol):
    """What an enrolment photo came to: a (D,) float32 unit vector by space, quality 0 to 1, box in pixels."""

    @property
    def vectors(self) -> Mapping[str, NDArray[np.float32]]: ...
    @property
    def quality(self) -> float: ...
    @property
    def box_px(self) -> Box: ...
    @property
    def reference_image(self) -> ReferenceImage | None: ...


class VersionedGallery(Protocol):
    """All that are enrolled, for every release in use; a value, never changed in place."""

    @property
    def version(self) -> int: ...
    @property
    def incomplete_spaces(self) -> frozenset[str]:
        """The spaces in which not everybody is yet."""


# MERGED: A person taken into the gallery: photos examined, templates kept, a new gallery in force; or
#   refused.

MAX_ATTEMPTS = 5
MAX_NAME_LENGTH = 100
MAX_PHOTOS = 20


class InvalidEnrolment(Rejected):
    """The request names nobody, or brings no photo, or too many."""

    reason = "invalid-enrolment"


class PersonNotFound(Rejected):
    """Nobody has that id."""

    reason = "person-not-found"


G = TypeVar("G", bound=VersionedGallery)
T = TypeVar("T", bound=EnrolmentTemplate)
Gallery_contra = TypeVar("Gallery_contra", bound=VersionedGallery, contravariant=True)


@dataclass(frozen=True, slots=True)
class Person:
    """Someone enrolled. The id is random: nothing about them can be read from it."""

    id: str
    name: str
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PersonChange:
    """What becomes of a person.

    before  as they were read; None for somebody new
    """

    before: Person | None
    after: Person


@dataclass(frozen=True, slots=True)
class RejectedPhoto:
    """A photo that was not taken, and why."""

    photo: S3Object
    reason: str
    message: str
    boxes_px: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class EnrolmentResult:
    """What came of it; where every photo was refused, nothing has changed."""

    person: Person
    accepted: tuple[S3Object, ...]
    rejected: tuple[RejectedPhoto, ...]
    gallery_version: int


class PeopleStore(Protocol[Gallery_contra]):
    """Who is enrolled, and which gallery is in force."""

    def find_by_name(self, name: str) -> Person | None: ...

    def find_person(self, person_id: str) -> Person | None: ...

    def commit(
        self,
        change: PersonChange,
        templates: Sequence[EnrolmentTemplate],
        *,
        base: int,
        gallery: Gallery_contra,
        now: datetime,
    ) -> None:
        """Keep person and templates and put the gallery in force, all or nothing.

        Raises Overtaken where the gallery in force is no longer version `base`, or the person is no
        longer as they were read: renamed, tagged otherwise, or being erased.
        """


@dataclass(frozen=True, slots=True)
class EnrolmentService(Generic[G, T]):
    """The ports that enrolling needs.

    gallery  reads the one in force, consistently
    examine  (photo, gallery, person) -> template; raises Rejected: no face, several, too poor, another's
    strays   (gallery, person, templates) -> why which of them, by place, are not the person's
    grow     (gallery, person, templates, tags) -> the next gallery, in which they are enrolled too
    dress    (gallery, person, tags) -> the next gallery, in which they have these tags
    """

    people: PeopleStore[G]
    read_gallery: Callable[[], G]
    create_template: Callable[[bytes, G, str], T]
    check_consistency: Callable[[G, str, Sequence[T]], Mapping[int, Rejected]]
    add_templates: Callable[[G, str, Sequence[T], frozenset[str]], G]
    set_tags: Callable[[G, str, frozenset[str]], G]
    fetch_photo: Callable[[S3Object], bytes]
    delete_photo: Callable[[S3Object], None]
    clock: Callable[[], datetime]


def enrol_by_name(
    name: str, photos: Sequence[S3Object], tags: frozenset[str], service: EnrolmentService[G, T]
) -> EnrolmentResult:
    """Take a person, new or known by that name, into the gallery. The photos are erased, enrolled or not.

    Every photo is examined against the gallery that the new one is built from: enrolments that
    cross are done again, so that no face slips in under two names.
    """
    if not name.strip() or len(name) > MAX_NAME_LENGTH:
        raise InvalidEnrolment(f"a name of 1 to {MAX_NAME_LENGTH} characters is needed")
    return _enrol_photos(partial(_change_by_name, service.people, name.strip(), tags), photos, service)


def enrol_by_id(
    person_id: str, photos: Sequence[S3Object], service: EnrolmentService[G, T]
) -> EnrolmentResult:
    """The same for somebody by their id. Raises NobodyThere."""
    return _enrol_photos(partial(_change_by_id, service.people, person_id), photos, service)


class PersonLookup(Protocol):
    """Who has an id."""

    def find_person(self, person_id: str) -> Person | None: ...


def get_person(people: PersonLookup, person_id: str) -> Person:
    """Raises NobodyThere."""
    person = people.find_person(person_id)
    if person is None:
        raise PersonNotFound(f"nobody has the id {person_id}")
    return person


def _enrol_photos(
    read_change: Callable[[], PersonChange], photos: Sequence[S3Object], service: EnrolmentService[G, T]
) -> EnrolmentResult:
    if not 0 < len(photos) <= MAX_PHOTOS:
        raise InvalidEnrolment(f"1 to {MAX_PHOTOS} photos are needed")
    try:
        return _enrol_with_retries(
            read_change, [(photo, service.fetch_photo(photo)) for photo in photos], service
        )
    finally:
        for photo in photos:
            service.delete_photo(photo)


def _enrol_with_retries(
    read_change: Callable[[], PersonChange],
    images: list[tuple[S3Object, bytes]],
    service: EnrolmentService[G, T],
) -> EnrolmentResult:
    for _ in range(MAX_ATTEMPTS - 1):
        with suppress(ConcurrentUpdate):
            return _attempt_enrolment(read_change, images, service)
    return _attempt_enrolment(read_change, images, service)


def _attempt_enrolment(
    read_change: Callable[[], PersonChange],
    images: list[tuple[S3Object, bytes]],
    service: EnrolmentService[G, T],
) -> EnrolmentResult:
    gallery, change = service.read_gallery(), read_change()
    person = change.after
    found: list[tuple[S3Object, T]] = []
    rejected: list[RejectedPhoto] = []
    for photo, data in images:
        try:
            found.append((photo, service.create_template(data, gallery, person.id)))
        except Rejected as fault:
            rejected.append(_rejected_photo(photo, fault))
    if found:
        inconsistent = service.check_consistency(gallery, person.id, [template for _, template in found])
        rejected += [_rejected_photo(found[index][0], fault) for index, fault in inconsistent.items()]
        found = [pair for place, pair in enumerate(found) if place not in inconsistent]
    if not found:
        return EnrolmentResult(person, (), tuple(rejected), gallery.version)
    templates = [template for _, template in found]
    new_gallery = service.add_templates(gallery, person.id, templates, person.tags)
    service.people.commit(change, templates, base=gallery.version, gallery=new_gallery, now=service.clock())
    return EnrolmentResult(person, tuple(photo for photo, _ in found), tuple(rejected), new_gallery.version)


def _rejected_photo(photo: S3Object, fault: Rejected) -> RejectedPhoto:
    return RejectedPhoto(photo, fault.reason, str(fault), fault.boxes_px)


def _change_by_name(people: PeopleStore[G], name: str, tags: frozenset[str]) -> PersonChange:
    """Who has the name, with these tags too; somebody new where nobody has."""
    found = people.find_by_name(name)
    after = Person(found.id, found.name, found.tags | tags) if found else Person(new_person_id(), name, tags)
    return PersonChange(found, after)


def _change_by_id(people: PeopleStore[G], person_id: str) -> PersonChange:
    """Somebody known, as they are. Raises NobodyThere."""
    person = get_person(people, person_id)
    return PersonChange(person, person)


def new_person_id() -> str:
    """Random: nothing about a person can be read from it."""
    return f"p-{secrets.token_hex(6)}"


# MERGED: Tags of somebody enrolled, such as a watch list, on and off: profile and gallery change together.

NO_PHOTOS: tuple[S3Object, ...] = ()


def update_tags(
    person_id: str, *, add: frozenset[str], remove: frozenset[str], service: EnrolmentService[G, T]
) -> Person:
    """The person with their tags as they are now. Raises NobodyThere, Overtaken."""
    for tries_left in reversed(range(MAX_ATTEMPTS)):
        try:
            person = _attempt_tag_update(person_id, add, remove, service)
        except ConcurrentUpdate:
            if not tries_left:
                raise
        else:
            break
    return person


def _attempt_tag_update(
    person_id: str, add: frozenset[str], remove: frozenset[str], service: EnrolmentService[G, T]
) -> Person:
    gallery = service.read_gallery()
    before = get_person(service.people, person_id)
    person = Person(person_id, before.name, (before.tags | add) - remove)
    if person.tags != before.tags:
        new_gallery = service.set_tags(gallery, person_id, person.tags)
        service.people.commit(
            PersonChange(before, person), (), base=gallery.version, gallery=new_gallery, now=service.clock()
        )
    return person
