"""The bucket walked page by page against the ledger; what has no end is announced again, in bulk."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from vigil.drops import Object
from vigil.ports import Clock
from vigil.steady.reconcile import (
    Census,
    Found,
    Listed,
    Patience,
    Told,
    as_drop,
    due,
    reconcile,
    routable,
    wanting,
)
from vigil.steady.record import Records

BEGIN = ""
"""The cursor before the first page, and after the last."""


FULL = 1000
"""With more messages waiting, the bulk lane is busy."""


class Shelves(Protocol):
    """The bucket's object versions. Raises Transient."""

    def edition(self) -> str:
        """What is on the shelves, by name: of one name, all walks see the same; "" where each may differ."""

    def page(self, cursor: str) -> tuple[Sequence[Listed], str]:
        """The page at a cursor, and the cursor of the next."""

    def holds(self, item: Object) -> bool:
        """Whether one that was on a page is still there."""


class Announcer(Protocol):
    """The bulk lane's way in. Raises Transient."""

    def send(self, messages: Sequence[str]) -> None: ...
    def waiting(self) -> int: ...


class Announcements(Protocol):
    """What was announced again, when and how often. Raises Transient."""

    def told(self, drops: Collection[str]) -> Mapping[str, Told]: ...
    def note(self, told: Mapping[str, Told]) -> None: ...


@dataclass(frozen=True, slots=True)
class Aisles:
    """All that a walk needs; `in_time` is false when the invocation should come to its end."""

    shelves: Shelves
    records: Records
    bulk: Announcer
    announcements: Announcements
    clock: Clock
    in_time: Callable[[], bool]
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a walk is. `whole` is what the last one came to that saw the whole bucket, in which edition."""

    cursor: str = BEGIN
    so_far: Census = field(default_factory=Census)
    whole: Census | None = None
    announced: int = 0
    edition: str = ""

    @property
    def complete(self) -> bool:
        whole = self.whole
        return whole is not None and whole.settled == whole.objects and not whole.young


def walk(begun: Walk, aisles: Aisles, *, most: int) -> Walk:
    """Go on where the last run stopped, until the bucket's end, the time's, or so many announcements.

    A page is announced before that is noted: a crash announces again, which the ledger knows for
    duplicates. An edition in which everything had its end is not walked once more.
    """
    here = replace(begun, announced=0)
    if here.cursor == BEGIN:
        edition = aisles.shelves.edition()
        if edition and edition == here.edition and here.complete:
            return here
        here = replace(here, edition=edition)
    while aisles.in_time() and here.announced < most:
        page, cursor = aisles.shelves.page(here.cursor)
        found, census = _compare(page, aisles)
        busy = bool(found) and aisles.bulk.waiting() > FULL
        announced = here.announced + _announce(found, aisles, busy=busy)
        here = replace(here, cursor=cursor, so_far=here.so_far + census, announced=announced)
        if cursor == BEGIN:
            return replace(here, so_far=Census(), whole=here.so_far)
    return here


def back_fill(cursor: str, model: str | None, aisles: Aisles, *, most: int) -> Walk:
    """Show a bucket, from a cursor on, to another model (or anew to its own where it has no end yet).

    Objects that the model has an end for, or is at, are passed over: it can be repeated and resumed at will.
    """
    here = Walk(cursor)
    while aisles.in_time() and here.announced < most:
        page, cursor = aisles.shelves.page(here.cursor)
        asked = [as_drop(listed, model) for listed in routable(page)]
        records, now = aisles.records.read({drop.id for drop, _ in asked}), aisles.clock()
        found = [
            Found(drop, want, message)
            for drop, message in asked
            if (want := wanting(records.get(drop.id), now, aisles.patience)) is not None
        ]
        here = Walk(cursor, announced=here.announced + _announce(found, aisles, busy=False))
        if cursor == BEGIN:
            break
    return here


def _announce(found: Sequence[Found], aisles: Aisles, *, busy: bool) -> int:
    """Send what is due to the bulk lane; how many that were."""
    before, now = aisles.announcements.told({one.drop.id for one in found}), aisles.clock()
    ready = due(found, before, now=now, patience=aisles.patience, busy=busy)
    aisles.bulk.send([one.message for one in ready])
    times = {one.drop.id: before[one.drop.id].times if one.drop.id in before else 0 for one in ready}
    aisles.announcements.note({drop: Told(now, number + 1) for drop, number in times.items()})
    return len(ready)


def _compare(page: Sequence[Listed], aisles: Aisles) -> tuple[list[Found], Census]:
    drops = [(listed, *as_drop(listed)) for listed in page]
    records = aisles.records.read({drop.id for _, drop, _ in drops})
    there = [one for one in drops if one[1].id in records or aisles.shelves.holds(one[0].item)]
    return reconcile(there, records, now=aisles.clock(), patience=aisles.patience)
