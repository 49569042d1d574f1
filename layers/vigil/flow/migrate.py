"""Everybody enrolled anew for another release: a few at a time, from what is kept of their photos."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from vigil.errors import Rejected
from vigil.flow.in_force import Gallery
from vigil.seeing import Portrait

G = TypeVar("G", bound=Gallery)
Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Photo:
    """What is kept of one enrolment photo.

    key       of its row
    vectors   (D,) float32, unit length, by space
    portrait  None where none was kept
    """

    key: str
    vectors: Mapping[str, Vector]
    portrait: Portrait | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a space's gallery is.

    people   everybody enrolled
    without  those of whom nothing is kept that the release can use: they must be enrolled again
    left     how many it has not come to yet
    """

    people: int
    without: tuple[str, ...]
    left: int

    @property
    def ready(self) -> bool:
        """Whether the release knows everybody that the others know."""
        return not self.left and not self.without

    @property
    def told(self) -> str:
        """For people."""
        done = f"migrated {self.people - self.left - len(self.without)} of {self.people}"
        return f"{done}; {len(self.without)} need a new photo" if self.without else done


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a model's outputs, for which releases.

    spaces    of each release in use
    progress  of each release in use
    retired   by space, up to which person what a release that is out of use left was erased
    """

    spaces: Mapping[str, str] = field(default_factory=dict)
    progress: Mapping[str, Progress] = field(default_factory=dict)
    retired: Mapping[str, str] = field(default_factory=dict)

    def ready(self, release: str) -> bool:
        """Whether a release may be compared with the active one: it knows whom that one knows."""
        return release in self.progress and self.progress[release].ready


class Photos(Protocol):
    """Where enrolment photos' rows are. Raises Transient."""

    def of(self, person: str) -> Iterable[Photo]: ...

    def add(self, person: str, key: str, space: str, vector: Vector) -> None:
        """Keep a further vector of a photo; nothing where the row is gone: somebody erased them."""

    def drop(self, person: str, space: str) -> None:
        """Take out what somebody's photos came to in a space."""


@dataclass(frozen=True, slots=True)
class Migration(Generic[G]):
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

    photos: Photos
    gallery: Callable[[], G]
    people: Callable[[G], Collection[str]]
    lacking: Callable[[G, str], Sequence[str]]
    whole: Callable[[G, str], bool]
    embed: Callable[[Portrait], Vector]
    grown: Callable[[G, str, Mapping[str, Sequence[Vector]], bool], G]
    commit: Callable[[int, G, datetime], None]
    go_on: Callable[[], bool]
    clock: Callable[[], datetime]


def migrate(space: str, migration: Migration[G], *, hopeless: Collection[str] = ()) -> Progress:
    """Take some more people into a space's gallery. Raises Overtaken, Transient; done again, it goes on.

    hopeless  those that were found `without` before: they come last

    A vector is kept beside its photo before the gallery has it, so that whoever is overtaken by an enrolment
    loses a write and no work.
    """
    gallery = migration.gallery()
    lacking = sorted(migration.lacking(gallery, space), key=lambda person: person in hopeless)
    found: dict[str, Sequence[Vector]] = {}
    without: list[str] = []
    for person in lacking:
        if not migration.go_on():
            break
        vectors = _again(person, space, migration)
        if vectors:
            found[person] = vectors
        else:
            without.append(person)
    left = len(lacking) - len(found) - len(without)
    was_whole = migration.whole(gallery, space)
    if found or not (left or was_whole):
        grown = migration.grown(gallery, space, found, was_whole or not left)
        migration.commit(gallery.version, grown, migration.clock())
    return Progress(len(migration.people(gallery)), tuple(without), left)


def _again(person: str, space: str, migration: Migration[G]) -> list[Vector]:
    """All that a person's photos come to in a space; those in which the release finds nothing add nothing."""
    vectors = []
    for photo in migration.photos.of(person):
        vector = photo.vectors.get(space)
        if vector is None and photo.portrait is not None:
            try:
                vector = migration.embed(photo.portrait)
            except Rejected:
                continue
            migration.photos.add(person, photo.key, space, vector)
        if vector is not None:
            vectors.append(vector)
    return vectors


def erased(
    space: str, everybody: Sequence[str], after: str, photos: Photos, go_on: Callable[[], bool]
) -> str | None:
    """Take out a retired space's vectors, person by person in order; up to whom, None when all are gone."""
    for person in everybody:
        if person > after:
            if not go_on():
                return after
            photos.drop(person, space)
            after = person
    return None
