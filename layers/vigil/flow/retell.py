"""Outcomes that could not be published, told again once the topic takes them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from vigil.flow.announce import Announcement, Ended, Moved, Raised, announce


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


def retell(gaps: Gaps, crier: Crier, *, origin: str) -> int:
    """How many gaps were closed. What had been told is told again, under the same id."""
    closed = 0
    for gap in gaps.receive():
        facts = [announce(fact, origin=origin) for fact in gaps.facts(gap)]
        if crier.tell([(str(fact.event["id"]), fact) for fact in facts]):
            continue
        gaps.close(gap)
        closed += 1
    return closed
