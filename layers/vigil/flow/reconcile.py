"""The bucket walked page by page against the ledger; what has no end is announced again, in bulk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from vigil.ports import Clock
from vigil.steady.reconcile import Census, Found, Listed, Patience, as_drop, reconcile, routable
from vigil.steady.record import Records

BEGIN = ""
"""The cursor before the first page, and after the last."""


class Shelves(Protocol):
    """The bucket's object versions. Raises Transient."""

    def page(self, cursor: str) -> tuple[Sequence[Listed], str]:
        """The page at a cursor, and the cursor of the next."""


class Announcer(Protocol):
    """The bulk lane's way in. Raises Transient."""

    def send(self, messages: Sequence[str]) -> None: ...


@dataclass(frozen=True, slots=True)
class Aisles:
    """All that a walk needs; `in_time` is false when the invocation should come to its end."""

    shelves: Shelves
    records: Records
    bulk: Announcer
    clock: Clock
    in_time: Callable[[], bool]
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a walk is. `whole` is what the last one came to that saw the whole bucket."""

    cursor: str = BEGIN
    so_far: Census = field(default_factory=Census)
    whole: Census | None = None
    announced: int = 0


def walk(begun: Walk, aisles: Aisles, *, most: int) -> Walk:
    """Go on where the last run stopped, until the bucket's end, the time's, or so many announcements.

    A page is announced before the walk is noted as past it: a crash announces again, which the
    ledger knows for duplicates.
    """
    here = replace(begun, announced=0)
    while aisles.in_time() and here.announced < most:
        page, cursor = aisles.shelves.page(here.cursor)
        found, census = _compare(page, aisles)
        aisles.bulk.send([one.message for one in found])
        here = Walk(cursor, here.so_far + census, here.whole, here.announced + len(found))
        if cursor == BEGIN:
            return replace(here, so_far=Census(), whole=here.so_far)
    return here


def back_fill(cursor: str, model: str | None, aisles: Aisles, *, most: int) -> Walk:
    """Show a bucket, from a cursor on, to another model (or anew to its own where it has no end yet).

    Objects that the model has an end for are passed over: it can be repeated and resumed at will.
    """
    here = Walk(cursor)
    while aisles.in_time() and here.announced < most:
        page, cursor = aisles.shelves.page(here.cursor)
        asked = [(listed, *as_drop(listed, model)) for listed in routable(page)]
        known = aisles.records.read({drop.id for _, drop, _ in asked})
        missing = [message for _, drop, message in asked if drop.id not in known]
        aisles.bulk.send(missing)
        here = Walk(cursor, announced=here.announced + len(missing))
        if cursor == BEGIN:
            break
    return here


def _compare(page: Sequence[Listed], aisles: Aisles) -> tuple[list[Found], Census]:
    drops = [(listed, *as_drop(listed)) for listed in page]
    records = aisles.records.read({drop.id for _, drop, _ in drops})
    return reconcile(drops, records, now=aisles.clock(), patience=aisles.patience)
