"""Everybody enrolled anew for another release: a few at a time, from what is kept of their photos."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from vigil.errors import Rejected
from vigil.inference.types import ReferenceImage
from vigil.people.enrolment import VersionedGallery

G = TypeVar("G", bound=VersionedGallery)
Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """What is kept of one enrolment photo.

    key       of its row
    vectors   (D,) float32, unit length, by space
    portrait  None where none was kept
    """

    key: str
    vectors: Mapping[str, Vector]
    reference_image: ReferenceImage | None


@dataclass(frozen=True, slots=True)
class ReembeddingProgress:
    """How far a space's gallery is.

    people   everybody enrolled
    without  those of whom nothing is kept that the release can use: they must be enrolled again
    left     how many it has not come to yet
    """

    people: int
    missing_reference: tuple[str, ...]
    remaining: int

    @property
    def is_complete(self) -> bool:
        """Whether the release knows everybody that the others know."""
        return not self.remaining and not self.missing_reference

    @property
    def summary(self) -> str:
        """For people."""
        summary = f"migrated {self.people - self.remaining - len(self.missing_reference)} of {self.people}"
        return (
            f"{summary}; {len(self.missing_reference)} need a new photo"
            if self.missing_reference
            else summary
        )


@dataclass(frozen=True, slots=True)
class ReembeddingState:
    """What is kept of a model's outputs, for which releases.

    spaces    of each release in use
    progress  of each release in use
    retired   by space, up to which person what a release that is out of use left was erased
    """

    spaces: Mapping[str, str] = field(default_factory=dict)
    progress: Mapping[str, ReembeddingProgress] = field(default_factory=dict)
    retired: Mapping[str, str] = field(default_factory=dict)

    def is_ready(self, release: str) -> bool:
        """Whether a release may be compared with the active one: it knows whom that one knows."""
        return release in self.progress and self.progress[release].is_complete


class PhotoRepository(Protocol):
    """Where enrolment photos' rows are. Raises Transient."""

    def photos_of(self, person: str) -> Iterable[StoredPhoto]: ...

    def add_vector(self, person: str, key: str, space: str, vector: Vector) -> None:
        """Keep a further vector of a photo; nothing where the row is gone: somebody erased them."""

    def delete_vectors(self, person: str, space: str) -> None:
        """Take out what somebody's photos came to in a space."""


@dataclass(frozen=True, slots=True)
class ReembeddingService(Generic[G]):
    """The ports that migrating needs.

    gallery   reads what is in force, consistently
    people    everybody in it
    lacking   (gallery, space) -> whom the space's gallery lacks
    whole     (gallery, space) -> whether the space has a gallery that is in use
    embed     a portrait's vector by the release of the space; raises Rejected
    grown     (gallery, space, vectors by person, whole) -> the next one, in which they are too
    commit    puts a gallery in force in place of version `base`; raises Overtaken
    go_on     whether there is time for one more person
    """

    photos: PhotoRepository
    read_gallery: Callable[[], G]
    list_people: Callable[[G], Collection[str]]
    missing_people: Callable[[G, str], Sequence[str]]
    is_space_complete: Callable[[G, str], bool]
    embed: Callable[[ReferenceImage], Vector]
    add_vectors: Callable[[G, str, Mapping[str, Sequence[Vector]], bool], G]
    commit: Callable[[int, G, datetime], None]
    has_time: Callable[[], bool]
    clock: Callable[[], datetime]


def reembed(
    space: str, service: ReembeddingService[G], *, unreembeddable: Collection[str] = ()
) -> ReembeddingProgress:
    """Take some more people into a space's gallery. Raises Overtaken, Transient; done again, it goes on.

    hopeless  those that were found `without` before: they come last

    A vector is kept beside its photo before the gallery has it, so that whoever is overtaken by an enrolment
    loses a write and no work.
    """
    gallery = service.read_gallery()
    missing = sorted(service.missing_people(gallery, space), key=lambda person: person in unreembeddable)
    found: dict[str, Sequence[Vector]] = {}
    missing_reference: list[str] = []
    for person in missing:
        if not service.has_time():
            break
        vectors = _vectors_in_space(person, space, service)
        if vectors:
            found[person] = vectors
        else:
            missing_reference.append(person)
    remaining = len(missing) - len(found) - len(missing_reference)
    was_complete = service.is_space_complete(gallery, space)
    if found or not (remaining or was_complete):
        new_gallery = service.add_vectors(gallery, space, found, was_complete or not remaining)
        service.commit(gallery.version, new_gallery, service.clock())
    return ReembeddingProgress(len(service.list_people(gallery)), tuple(missing_reference), remaining)


def _vectors_in_space(person: str, space: str, service: ReembeddingService[G]) -> list[Vector]:
    """All that a person's photos come to in a space; those in which the release finds nothing add nothing."""
    vectors = []
    for photo in service.photos.photos_of(person):
        vector = photo.vectors.get(space)
        if vector is None and photo.reference_image is not None:
            try:
                vector = service.embed(photo.reference_image)
            except Rejected:
                continue
            service.photos.add_vector(person, photo.key, space, vector)
        if vector is not None:
            vectors.append(vector)
    return vectors


def delete_retired_vectors(
    space: str,
    people: Sequence[str],
    after_person: str,
    photos: PhotoRepository,
    has_time: Callable[[], bool],
) -> str | None:
    """Take out a retired space's vectors, person by person in order; up to whom, None when all are gone."""
    for person in people:
        if person > after_person:
            if not has_time():
                return after_person
            photos.delete_vectors(person, space)
            after_person = person
    return None
