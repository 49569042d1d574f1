"""Enrols people from photos, and changes their tags; profile and galleries change together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Protocol

from vigil.drops.messages import S3Object
from vigil.errors import Rejected
from vigil.faces.enrolment_check import Template, add_templates, examine_photos, set_tags
from vigil.faces.gallery import Gallery, GallerySet
from vigil.inference.types import DEFAULT_GALLERY, Box
from vigil.people.galleries import GalleryReader, repeat_concurrent_change
from vigil.people.person import Person, PersonChange, get_person, new_person_id, parse_name

MAX_PHOTOS = 20
REVIEW_TAG = "review"
"""Tag of a person whose templates are so different that somebody must look at the photos."""


class InvalidEnrolment(Rejected):
    """The request has no photo, or too many photos."""

    reason = "invalid-enrolment"


@dataclass(frozen=True, slots=True)
class RejectedPhoto:
    """A photo that was not accepted, and why; `boxes_px` are the faces at fault, of `person` if known."""

    photo: S3Object
    reason: str
    message: str
    boxes_px: tuple[Box, ...] = ()
    person: str = ""


@dataclass(frozen=True, slots=True)
class EnrolmentResult:
    """The accepted and the rejected photos; if none was accepted, nothing has changed."""

    person: Person
    accepted: tuple[S3Object, ...]
    rejected: tuple[RejectedPhoto, ...]
    gallery_version: int


class PeopleStore(Protocol):
    """The people table. All raise Transient."""

    def find_by_name(self, name: str, gallery: str) -> Person | None:
        """The person of this name in a gallery."""

    def find_person(self, person_id: str) -> Person | None: ...

    def commit(
        self,
        change: PersonChange,
        templates: Sequence[Template],
        *,
        base: int,
        gallery: GallerySet,
        now: datetime,
    ) -> None:
        """Store person and templates and put the galleries in force, all or nothing.

        Raises ConcurrentUpdate if the galleries in force are no longer version `base`, or the person was
        renamed, tagged or marked for erasure since they were read.
        """


class EnrolmentModels(Protocol):
    """The releases that people are enrolled with. All raise BrokenRelease, Transient."""

    @property
    def max_bytes(self) -> int:
        """Size up to which the active release reads a photo."""

    def embedding_spaces(self) -> Sequence[str]:
        """The space of each release."""

    def create_template(self, photo: bytes, galleries: GallerySet, person: str) -> Template:
        """Raises Rejected: no face, several faces, low quality, or another person's face."""

    def find_inconsistent(
        self, galleries: GallerySet, person: str, templates: Sequence[Template]
    ) -> Mapping[int, Rejected]:
        """By index, why a template is not of the same person as the others."""

    def is_spread_too_far(self, galleries: GallerySet, person: str, templates: Sequence[Template]) -> bool:
        """Whether the person's templates with the new ones may be of two people."""


class PhotoReader(Protocol):
    """Reads pending photos. Raises ObjectNotFound, ObjectTooLarge, Transient."""

    def fetch(self, item: S3Object, max_bytes: int) -> bytes: ...


class PhotoRemover(Protocol):
    """Deletes pending photos. Raises Transient."""

    def delete_version(self, item: S3Object) -> None: ...


@dataclass(frozen=True, slots=True)
class EnrolmentService:
    """Enrolment of people. Photos are deleted after they were examined, accepted or not.

    Every photo is checked against the galleries that the new ones are built from; after a concurrent change
    the whole enrolment is repeated, so that no face is enrolled under two names.

    store_reference_images  whether the face in a photo is stored to compute templates for later releases
    """

    people: PeopleStore
    galleries: GalleryReader
    models: EnrolmentModels
    photos: PhotoReader
    store: PhotoRemover
    store_reference_images: bool
    clock: Callable[[], datetime]

    def enrol_by_name(
        self,
        name: str,
        photos: Sequence[S3Object],
        tags: frozenset[str] = frozenset(),
        gallery: str = DEFAULT_GALLERY,
    ) -> EnrolmentResult:
        """Enrol a new person in a gallery, or add photos and tags to the person of that name there.

        Raises InvalidName, InvalidEnrolment, ConcurrentUpdate, Transient.
        """
        return self._enrol(partial(self._change_by_name, parse_name(name), tags, gallery), photos)

    def enrol_by_id(self, person_id: str, photos: Sequence[S3Object]) -> EnrolmentResult:
        """Add photos to a person. Raises PersonNotFound, InvalidEnrolment, ConcurrentUpdate, Transient."""
        return self._enrol(partial(self._change_by_id, person_id), photos)

    def update_tags(self, person_id: str, *, add: frozenset[str], remove: frozenset[str]) -> Person:
        """The person with the changed tags. Raises PersonNotFound, ConcurrentUpdate, Transient."""
        return repeat_concurrent_change(partial(self._attempt_tag_update, person_id, add, remove))

    def _enrol(self, read_change: Callable[[], PersonChange], photos: Sequence[S3Object]) -> EnrolmentResult:
        if not 0 < len(photos) <= MAX_PHOTOS:
            raise InvalidEnrolment(f"1 to {MAX_PHOTOS} photos are needed")
        try:
            images = [(photo, self._fetch(photo)) for photo in photos]
            return repeat_concurrent_change(partial(self._attempt_enrolment, read_change, images))
        finally:
            for photo in photos:
                self.store.delete_version(photo)

    def _attempt_enrolment(
        self, read_change: Callable[[], PersonChange], images: Sequence[tuple[S3Object, bytes | Rejected]]
    ) -> EnrolmentResult:
        change = read_change()
        person = change.after
        galleries = self.read_galleries(person.gallery)
        accepted, rejected = self._check_photos(images, galleries, person.id)
        photos = tuple(photo for photo, _ in accepted)
        if not accepted:
            return EnrolmentResult(person, photos, rejected, galleries.version)
        templates = [template for _, template in accepted]
        if self.models.is_spread_too_far(galleries, person.id, templates):
            person = replace(person, tags=person.tags | {REVIEW_TAG})
            change = replace(change, after=person)
        updated = galleries.apply(partial(with_templates, galleries, person, templates))
        self.people.commit(change, templates, base=galleries.version, gallery=updated, now=self.clock())
        return EnrolmentResult(person, photos, rejected, updated.version)

    def _check_photos(
        self, images: Sequence[tuple[S3Object, bytes | Rejected]], galleries: GallerySet, person: str
    ) -> tuple[list[tuple[S3Object, Template]], tuple[RejectedPhoto, ...]]:
        """The accepted photos with their templates, and the rejected ones."""
        accepted, rejected = examine_photos(
            images,
            lambda data: self._create_template(data, galleries, person),
            lambda templates: self.models.find_inconsistent(galleries, person, templates),
        )
        return accepted, tuple(
            RejectedPhoto(photo, error.reason, str(error), error.boxes_px, error.person)
            for photo, error in rejected
        )

    def _create_template(self, data: bytes, galleries: GallerySet, person: str) -> Template:
        template = self.models.create_template(data, galleries, person)
        return template if self.store_reference_images else replace(template, reference_image=None)

    def _fetch(self, photo: S3Object) -> bytes | Rejected:
        """The photo, or why this one photo cannot be read. Raises Transient."""
        try:
            return self.photos.fetch(photo, self.models.max_bytes)
        except Rejected as error:
            return error

    def _attempt_tag_update(self, person_id: str, add: frozenset[str], remove: frozenset[str]) -> Person:
        before = get_person(self.people, person_id)
        galleries = self.read_galleries(before.gallery)
        person = replace(before, tags=(before.tags | add) - remove)
        if person.tags != before.tags:
            updated = galleries.apply(lambda one: set_tags(one, person_id, person.tags))
            change = PersonChange(before, person)
            self.people.commit(change, (), base=galleries.version, gallery=updated, now=self.clock())
        return person

    def read_galleries(self, name: str) -> GallerySet:
        """What is in force of a gallery; before the first enrolment, an empty one for each release in use."""
        galleries = self.galleries.read(name)
        if galleries.by_space:
            return galleries
        spaces = self.models.embedding_spaces()
        return replace(galleries, by_space={space: Gallery(space) for space in spaces})

    def _change_by_name(self, name: str, tags: frozenset[str], gallery: str) -> PersonChange:
        before = self.people.find_by_name(name, gallery)
        new = before or Person(new_person_id(), name, gallery=gallery)
        after = replace(new, tags=new.tags | tags)
        return PersonChange(before, after)

    def _change_by_id(self, person_id: str) -> PersonChange:
        person = get_person(self.people, person_id)
        return PersonChange(person, person)


def with_templates(
    galleries: GallerySet, person: Person, templates: Sequence[Template], gallery: Gallery
) -> Gallery:
    """A person whom reembedding has yet to add to a gallery is left to it: it adds all of their photos."""
    if galleries.is_pending(gallery, person.id):
        return gallery
    return add_templates(gallery, person.id, templates, person.tags)
