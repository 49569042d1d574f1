"""The audit log: who looked at whom and who decided what, as links of a chain in which no link can change.

Each entry's mark is a hash over all it says and the mark before it. There are a few chains, so that
callers do not wait for each other; one caller's entries lie in one chain, in order.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

CHAINS = 8
START = "0" * 64
"""What the first entry of a chain says of the one before it."""


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: how many entries it has, and the last one's mark."""

    number: int = 0
    mark: str = START


@dataclass(frozen=True, slots=True)
class Entry:
    """One act.

    act    the operation's name, such as `get-person`
    about  what it was done to, as ids; never a name
    """

    chain: str
    number: int
    at: datetime
    caller: str
    role: str
    act: str
    about: Mapping[str, str]
    before: str

    @property
    def mark(self) -> str:
        said = asdict(self) | {"at": self.at.isoformat(), "about": dict(self.about)}
        return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where each chain ended at a time."""

    at: datetime
    heads: Mapping[str, Head]


@dataclass(frozen=True, slots=True)
class Broken:
    """The first link of a chain that does not hold, and why."""

    chain: str
    number: int
    why: str


def chain_of(caller: str) -> str:
    """The chain that a caller's acts go into."""
    return f"chain-{hashlib.sha256(caller.encode()).digest()[0] % CHAINS}"


def first_broken(entries: Iterable[tuple[Entry, str]]) -> Broken | None:
    """Walk one chain from its start; `entries` are (entry, the mark stored beside it), in order."""
    head = Head()
    for entry, stored in entries:
        if entry.number != head.number + 1:
            return Broken(entry.chain, head.number + 1, "is missing")
        if entry.before != head.mark:
            return Broken(entry.chain, entry.number, "does not follow from the one before it")
        if stored != entry.mark:
            return Broken(entry.chain, entry.number, "was changed")
        head = Head(entry.number, stored)
    return None


def falls_short(chain: str, marks: Sequence[str], anchor: Head) -> Broken | None:
    """Where a chain that holds in itself is not the one that a checkpoint knows, cut off or written anew.

    marks  those of its entries, in order
    """
    if len(marks) < anchor.number:
        why = f"is missing: a checkpoint knows {anchor.number} entries"
        return Broken(chain, len(marks) + 1, why)
    if anchor.number and marks[anchor.number - 1] != anchor.mark:
        return Broken(chain, anchor.number, "is not the one that a checkpoint knows")
    return None
