"""Outcomes that could not be published, told again once the topic takes them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from vigil.drops import drop_id
from vigil.flow.announce import Announcement, Ended, Moved, Raised, announce
from vigil.flow.leaving import Diary
from vigil.ports import Clock


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of time in which something may not have been told."""

    since: datetime
    until: datetime
    receipt: str


class Gaps(Protocol):
    """What the publishing function gave up on. All raise Transient."""

    def receive(self) -> Sequence[Gap]: ...

    def facts(self, gap: Gap) -> Iterable[Ended | Moved | Raised]:
        """All that became true in it, whether it was told or not."""

    def close(self, gap: Gap) -> None: ...


class Crier(Protocol):
    """Where facts are told. Raises Transient."""

    def tell(self, announcements: Sequence[tuple[str, Announcement]]) -> str:
        """The first mark that was not taken, or ""."""


def retell(gaps: Gaps, crier: Crier, diary: Diary, *, origin: str, clock: Clock) -> int:
    """How many gaps were closed. What had been told is told again, under the same id, and noted beside it."""
    closed = 0
    for gap in gaps.receive():
        facts = list(gaps.facts(gap))
        told = [announce(fact, origin=origin) for fact in facts]
        if crier.tell([(str(one.event["id"]), one) for one in told]):
            continue
        _note(gap, facts, diary, clock())
        gaps.close(gap)
        closed += 1
    return closed


def _note(gap: Gap, facts: Iterable[Ended | Moved | Raised], diary: Diary, now: datetime) -> None:
    """A gap in which nothing had come true has its line under an id of its own."""
    why = f"what was to be told from {gap.since.isoformat()} to {gap.until.isoformat()} could not be"
    drops = [fact.drop for fact in facts if isinstance(fact, Ended)]
    for drop in drops or [drop_id("untold", gap.since.isoformat())]:
        diary.note(drop, deed="told-again", why=why, now=now)
