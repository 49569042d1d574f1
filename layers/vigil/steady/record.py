"""A drop's ledger record, read back by those who mend: how far it came, and what it died of."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from vigil.drops import Object


@dataclass(frozen=True, slots=True)
class Record:
    """What the ledger holds of one drop.

    state    claimed, done, rejected or quarantined
    until    when its last lease ended or will end
    stage    the last one noted
    error    what the last attempt said; empty where its worker died without a word
    release  of the model that was at work, empty where none was yet
    where    the object, None for inline data
    """

    drop: str
    state: str
    attempts: int
    until: datetime
    stage: str = ""
    error: str = ""
    release: str = ""
    where: Object | None = None

    @property
    def settled(self) -> bool:
        return self.state != "claimed"

    def held(self, now: datetime) -> bool:
        """Whether a worker may still be at it."""
        return not self.settled and self.until > now


class Records(Protocol):
    """Where ledger records are read, consistently."""

    def read(self, drops: Collection[str]) -> Mapping[str, Record]:
        """The records of these drops; one that was never claimed is absent. Raises Transient."""
