"""The audit log: who looked at whom and who decided what, as links of a chain in which no link can change.

Each entry's mark is a hash over all it says and the mark before it. There are a few chains, so that
callers do not wait for each other; one caller's entries lie in one chain, in order.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

CHAIN_COUNT = 8
GENESIS_HASH = "0" * 64
"""What the first entry of a chain says of the one before it."""


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The end of a chain: how many entries it has, and the last one's mark."""

    number: int = 0
    entry_hash: str = GENESIS_HASH


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act.

    act    the operation's name, such as `get-person`
    about  what it was done to, as ids; never a name
    """

    chain: str
    number: int
    at: datetime
    caller: str
    role: str
    operation: str
    resource_ids: Mapping[str, str]
    previous_hash: str

    @property
    def entry_hash(self) -> str:
        content = asdict(self) | {"at": self.at.isoformat(), "resource_ids": dict(self.resource_ids)}
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class AuditCheckpoint:
    """Where each chain ended at a time."""

    at: datetime
    heads: Mapping[str, ChainHead]


@dataclass(frozen=True, slots=True)
class ChainBreak:
    """The first link of a chain that does not hold, and why."""

    chain: str
    number: int
    reason: str


def chain_for(caller: str) -> str:
    """The chain that a caller's acts go into."""
    return f"chain-{hashlib.sha256(caller.encode()).digest()[0] % CHAIN_COUNT}"


def find_first_break(entries: Iterable[tuple[AuditEntry, str]]) -> ChainBreak | None:
    """Walk one chain from its start; `entries` are (entry, the mark stored beside it), in order."""
    head = ChainHead()
    for entry, stored_hash in entries:
        if entry.number != head.number + 1:
            return ChainBreak(entry.chain, head.number + 1, "is missing")
        if entry.previous_hash != head.entry_hash:
            return ChainBreak(entry.chain, entry.number, "does not follow from the one before it")
        if stored_hash != entry.entry_hash:
            return ChainBreak(entry.chain, entry.number, "was changed")
        head = ChainHead(entry.number, stored_hash)
    return None


def compare_with_checkpoint(chain: str, entry_hashes: Sequence[str], anchor: ChainHead) -> ChainBreak | None:
    """Where a chain that holds in itself is not the one that a checkpoint knows, cut off or written anew.

    marks  those of its entries, in order
    """
    if len(entry_hashes) < anchor.number:
        reason = f"is missing: a checkpoint knows {anchor.number} entries"
        return ChainBreak(chain, len(entry_hashes) + 1, reason)
    if anchor.number and entry_hashes[anchor.number - 1] != anchor.entry_hash:
        return ChainBreak(chain, anchor.number, "is not the one that a checkpoint knows")
    return None
