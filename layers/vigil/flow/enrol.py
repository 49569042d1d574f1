"""A person taken into the gallery: photos examined, templates kept, a new gallery in force; or refused."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Generic, Protocol, TypeVar

from vigil.drops import Object
from vigil.errors import Rejected, Transient
from vigil.flow.in_force import Gallery, Template
from vigil.seeing import Box

TRIES = 5
NAME_LENGTH = 100
PHOTOS = 20


class Unenrollable(Rejected):
    """The request names nobody, or brings no photo, or too many."""

    reason = "bad-request"


class NobodyThere(Rejected):
    """Nobody has that id."""

    reason = "nobody-there"


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
class Change:
    """What becomes of a person.

    before  as they were read; None for somebody new
    """

    before: Person | None
    after: Person


@dataclass(frozen=True, slots=True)
class Refusal:
    """A photo that was not taken, and why."""

    photo: Object
    reason: str
    message: str
    boxes_px: tuple[Box, ...] = ()


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

    def person(self, ident: str) -> Person | None: ...

    def commit(
        self,
        change: Change,
        templates: Sequence[Template],
        *,
        base: int,
        gallery: Kept_contra,
        now: datetime,
    ) -> None:
        """Keep person and templates and put the gallery in force, all or nothing.

        Raises Overtaken where the gallery in force is no longer version `base`, or the person is no
        longer as they were read: renamed, tagged otherwise, or being erased.
        """


@dataclass(frozen=True, slots=True)
class Desk(Generic[G, T]):
    """The ports that enrolling needs.

    gallery  reads the one in force, consistently
    examine  (photo, gallery, person) -> template; raises Rejected: no face, several, too poor, another's
    strays   (gallery, person, templates) -> why which of them, by place, are not the person's
    grow     (gallery, person, templates, tags) -> the next gallery, in which they are enrolled too
    dress    (gallery, person, tags) -> the next gallery, in which they have these tags
    """

    people: People[G]
    gallery: Callable[[], G]
    examine: Callable[[bytes, G, str], T]
    strays: Callable[[G, str, Sequence[T]], Mapping[int, Rejected]]
    grow: Callable[[G, str, Sequence[T], frozenset[str]], G]
    dress: Callable[[G, str, frozenset[str]], G]
    fetch: Callable[[Object], bytes]
    erase: Callable[[Object], None]
    clock: Callable[[], datetime]


def enrol(name: str, photos: Sequence[Object], tags: frozenset[str], desk: Desk[G, T]) -> Enrolment:
    """Take a person, new or known by that name, into the gallery. The photos are erased, enrolled or not.

    Every photo is examined against the gallery that the new one is built from: enrolments that
    cross are done again, so that no face slips in under two names.
    """
    if not name.strip() or len(name) > NAME_LENGTH:
        raise Unenrollable(f"a name of 1 to {NAME_LENGTH} characters is needed")
    return _enrol(partial(_named, desk.people, name.strip(), tags), photos, desk)


def enrol_known(ident: str, photos: Sequence[Object], desk: Desk[G, T]) -> Enrolment:
    """The same for somebody by their id. Raises NobodyThere."""
    return _enrol(partial(_unchanged, desk.people, ident), photos, desk)


class Roll(Protocol):
    """Who has an id."""

    def person(self, ident: str) -> Person | None: ...


def known(people: Roll, ident: str) -> Person:
    """Raises NobodyThere."""
    person = people.person(ident)
    if person is None:
        raise NobodyThere(f"nobody has the id {ident}")
    return person


def _enrol(whom: Callable[[], Change], photos: Sequence[Object], desk: Desk[G, T]) -> Enrolment:
    if not 0 < len(photos) <= PHOTOS:
        raise Unenrollable(f"1 to {PHOTOS} photos are needed")
    try:
        return _tried(whom, [(photo, desk.fetch(photo)) for photo in photos], desk)
    finally:
        for photo in photos:
            desk.erase(photo)


def _tried(whom: Callable[[], Change], images: list[tuple[Object, bytes]], desk: Desk[G, T]) -> Enrolment:
    for _ in range(TRIES - 1):
        with suppress(Overtaken):
            return _attempt(whom, images, desk)
    return _attempt(whom, images, desk)


def _attempt(whom: Callable[[], Change], images: list[tuple[Object, bytes]], desk: Desk[G, T]) -> Enrolment:
    gallery, change = desk.gallery(), whom()
    person = change.after
    found: list[tuple[Object, T]] = []
    refused: list[Refusal] = []
    for photo, data in images:
        try:
            found.append((photo, desk.examine(data, gallery, person.id)))
        except Rejected as fault:
            refused.append(_refused(photo, fault))
    if found:
        strays = desk.strays(gallery, person.id, [template for _, template in found])
        refused += [_refused(found[place][0], fault) for place, fault in strays.items()]
        found = [pair for place, pair in enumerate(found) if place not in strays]
    if not found:
        return Enrolment(person, (), tuple(refused), gallery.version)
    templates = [template for _, template in found]
    grown = desk.grow(gallery, person.id, templates, person.tags)
    desk.people.commit(change, templates, base=gallery.version, gallery=grown, now=desk.clock())
    return Enrolment(person, tuple(photo for photo, _ in found), tuple(refused), grown.version)


def _refused(photo: Object, fault: Rejected) -> Refusal:
    return Refusal(photo, fault.reason, str(fault), fault.boxes_px)


def _named(people: People[G], name: str, tags: frozenset[str]) -> Change:
    """Who has the name, with these tags too; somebody new where nobody has."""
    found = people.named(name)
    after = Person(found.id, found.name, found.tags | tags) if found else Person(new_id(), name, tags)
    return Change(found, after)


def _unchanged(people: People[G], ident: str) -> Change:
    """Somebody known, as they are. Raises NobodyThere."""
    person = known(people, ident)
    return Change(person, person)


def new_id() -> str:
    """Random: nothing about a person can be read from it."""
    return f"p-{secrets.token_hex(6)}"
