"""A person erased: out of the gallery first, then out of every row and object; told what was erased."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from vigil.drops import Object
from vigil.flow.enrol import TRIES, NobodyThere, Overtaken, Person
from vigil.flow.in_force import Gallery, InForce

G = TypeVar("G", bound=Gallery)
Stored = TypeVar("Stored", bound=Gallery, contravariant=True)  # noqa: PLC0105 - a plain word reads better


class Rows(Protocol[Stored]):
    """The people table."""

    def leave(self, ident: str, now: datetime) -> Person | None:
        """Hold somebody's profile as it is: from now on nobody renames, tags or enrols them."""

    def closed(self, ident: str) -> None:
        """Take back that a person may be learned from."""

    def in_force(self) -> InForce:
        """What is in force now."""

    def withdraw(self, *, base: int, gallery: Stored, now: datetime) -> None:
        """Put a gallery in force in place of version `base`. Raises Overtaken."""

    def forget(self, person: Person) -> int:
        """Delete name and templates; how many templates there were."""

    def gone(self, ident: str) -> None:
        """Delete the profile: the last that there was."""


class Traces(Protocol):
    """What was seen of a person."""

    def end(self, person: str, now: datetime) -> None:
        """From now on nothing that names them is kept, by whoever has it under way."""

    def tell(self, erased: "Erased") -> None:
        """Keep for a day what was erased: whoever erases may die before the answer is heard."""

    def told(self, person: str) -> "Erased | None":
        """What was kept of it, if anything was."""

    def of(self, person: str) -> Iterable[str]:
        """Take the person out of each sighting, alert, label and silence; the kind of each, one by one."""

    def photos(self, person: str) -> Iterable[Object]:
        """The photos in which they were recognised, while the sightings still say so."""

    def answers(self, person: str) -> int:
        """Delete kept answers that name them; how many."""


@dataclass(frozen=True, slots=True)
class Shredder(Generic[G]):
    """The ports that erasing needs.

    gallery    reads the one in force, consistently
    holds      (gallery, person) -> whether they are in it
    without    (gallery, person) -> the next gallery, in which they are not
    settle     waits until whatever was kept before can be found
    unremember  takes faces out of strangers' sightings that are this person's; how many
    unlearn    takes their items out of every stored data set; how many
    discard    deletes their photos that wait to be enrolled; how many
    snapshots  (version in force, its keys) -> deletes every version of all other snapshots up to it; how many
    shred      deletes one object version for good
    """

    rows: Rows[G]
    traces: Traces
    gallery: Callable[[], G]
    holds: Callable[[G, str], bool]
    without: Callable[[G, str], G]
    settle: Callable[[], None]
    unremember: Callable[[str], int]
    unlearn: Callable[[str], int]
    discard: Callable[[str], int]
    snapshots: Callable[[int, Collection[str]], int]
    shred: Callable[[Object], None]
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased: how many of each kind; nothing in it says who it was but the random id."""

    person: str
    at: datetime
    gallery_version: int
    counts: dict[str, int]


def erase(ident: str, shredder: Shredder[G]) -> Erased:
    """Erase somebody. Raises NobodyThere; done again after a failure, it goes on where it stopped.

    Asked again within a day, it says the same: the answer may have been lost.

    First nothing more can be kept that names them: a lane that matched before the gallery moved commits in
    vain, and looks again. Consent goes before the data sets are searched: what is being stored at this moment
    asks for it again when it is done. The profile goes last: as long as it is there, the work is not done.
    """
    person = shredder.rows.leave(ident, shredder.clock())
    erased = shredder.traces.told(ident)
    if erased is None:
        if person is None:
            raise NobodyThere(f"nobody has the id {ident}")
        erased = _erased(person, shredder)
        shredder.traces.tell(erased)
    shredder.rows.gone(ident)
    return erased


def _erased(person: Person, shredder: Shredder[G]) -> Erased:
    """All but the profile."""
    ident = person.id
    shredder.traces.end(ident, shredder.clock())
    _withdraw(ident, shredder)
    shredder.rows.closed(ident)
    shredder.settle()
    left = shredder.rows.in_force()
    counts = {"snapshots": shredder.snapshots(left.version, frozenset(left.keys.values()))}
    counts["photos"] = shredder.discard(ident)
    for photo in list(shredder.traces.photos(ident)):
        shredder.shred(photo)
        counts["photos"] += 1
    for kind in shredder.traces.of(ident):
        counts[kind] = counts.get(kind, 0) + 1
    counts["examples"] = shredder.unlearn(ident)
    counts["faces"] = shredder.unremember(ident)
    counts["answers"] = shredder.traces.answers(ident)
    counts["templates"] = shredder.rows.forget(person)
    return Erased(ident, shredder.clock(), left.version, counts)


def _withdraw(ident: str, shredder: Shredder[G]) -> None:
    """Out of the gallery in force; lanes look at it every two seconds."""
    for tries_left in reversed(range(TRIES)):
        gallery = shredder.gallery()
        if not shredder.holds(gallery, ident):
            return
        smaller = shredder.without(gallery, ident)
        try:
            shredder.rows.withdraw(base=gallery.version, gallery=smaller, now=shredder.clock())
        except Overtaken:
            if not tries_left:
                raise
        else:
            return
