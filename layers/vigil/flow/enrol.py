"""A person taken into the gallery: photos examined, templates kept, a new gallery in force; or refused."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from vigil.drops import Object
from vigil.errors import Rejected, Transient
from vigil.seeing import Box

TRIES = 5
NAME_LENGTH = 100
PHOTOS = 20


class Unenrollable(Rejected):
    """The request names nobody, or brings no photo, or too many."""

    reason = "bad-request"


class Template(Protocol):
    """What an enrolment photo came to: (D,) float32 unit vector, quality 0 to 1, box in pixels."""

    @property
    def vector(self) -> NDArray[np.float32]: ...
    @property
    def quality(self) -> float: ...
    @property
    def box_px(self) -> Box: ...


class Gallery(Protocol):
    """All that are enrolled; a value, never changed in place."""

    @property
    def version(self) -> int: ...


G = TypeVar("G", bound=Gallery)
T = TypeVar("T", bound=Template)
Kept_contra = TypeVar("Kept_contra", bound=Gallery, contravariant=True)


@dataclass(frozen=True, slots=True)
class Person:
    """Someone enrolled. The id is random: nothing about them can be read from it."""

    id: str
    name: str
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A photo that was not taken, and why."""

    photo: Object
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What came of it; where every photo was refused, nothing has changed."""

    person: Person
    taken: tuple[Object, ...]
    refused: tuple[Refusal, ...]
    gallery_version: int


class Overtaken(Transient):
    """Another enrolment put a newer gallery in force in between."""


class People(Protocol[Kept_contra]):
    """Who is enrolled, and which gallery is in force."""

    def named(self, name: str) -> Person | None: ...

    def commit(
        self, person: Person, templates: Sequence[Template], *, base: int, gallery: Kept_contra, now: datetime
    ) -> None:
        """Keep person and templates and put the gallery in force, all or nothing.

        Raises Overtaken where the gallery in force is no longer version `base`.
        """


@dataclass(frozen=True, slots=True)
class Desk(Generic[G, T]):
    """The ports that enrolling needs.

    gallery  reads the one in force, consistently
    examine  (photo, gallery, person) -> template; raises Rejected: no face, several, too poor, another's
    grow     (gallery, person, templates, tags) -> the next gallery, in which they are enrolled too
    """

    people: People[G]
    gallery: Callable[[], G]
    examine: Callable[[bytes, G, str], T]
    grow: Callable[[G, str, Sequence[T], frozenset[str]], G]
    fetch: Callable[[Object], bytes]
    erase: Callable[[Object], None]
    clock: Callable[[], datetime]


def enrol(name: str, photos: Sequence[Object], tags: frozenset[str], desk: Desk[G, T]) -> Enrolment:
    """Take a person, new or known by that name, into the gallery; the photos are erased afterwards.

    Every photo is examined against the gallery that the new one is built from: enrolments that
    cross are done again, so that no face slips in under two names.
    """
    if not name.strip() or len(name) > NAME_LENGTH or not 0 < len(photos) <= PHOTOS:
        raise Unenrollable(f"a name of 1 to {NAME_LENGTH} characters and 1 to {PHOTOS} photos are needed")
    images = [(photo, desk.fetch(photo)) for photo in photos]
    for tries_left in reversed(range(TRIES)):
        try:
            enrolment = _attempt(name.strip(), images, tags, desk)
        except Overtaken:
            if not tries_left:
                raise
        else:
            break
    for photo in photos:
        desk.erase(photo)
    return enrolment


def _attempt(
    name: str, images: list[tuple[Object, bytes]], tags: frozenset[str], desk: Desk[G, T]
) -> Enrolment:
    gallery = desk.gallery()
    known = desk.people.named(name)
    person = Person(known.id, known.name, known.tags | tags) if known else Person(_new_id(), name, tags)
    templates: list[T] = []
    taken: list[Object] = []
    refused: list[Refusal] = []
    for photo, data in images:
        try:
            templates.append(desk.examine(data, gallery, person.id))
            taken.append(photo)
        except Rejected as fault:
            refused.append(Refusal(photo, fault.reason, str(fault)))
    if not templates:
        return Enrolment(person, (), tuple(refused), gallery.version)
    grown = desk.grow(gallery, person.id, templates, person.tags)
    desk.people.commit(person, templates, base=gallery.version, gallery=grown, now=desk.clock())
    return Enrolment(person, tuple(taken), tuple(refused), grown.version)


def _new_id() -> str:
    return f"p-{secrets.token_hex(6)}"
