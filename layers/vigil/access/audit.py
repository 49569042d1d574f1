"""The audit log: chains of entries about who accessed or decided what, in which changes are detected.

The hash of each entry covers its content and the hash of the entry before. There are several chains, so
that callers do not wait for each other; all entries of one caller are in one chain, in order.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

CHAIN_COUNT = 8
GENESIS_HASH = "0" * 64
"""The previous hash of the first entry of a chain."""


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The end of a chain: the number of its entries and the hash of the last one."""

    number: int = 0
    entry_hash: str = GENESIS_HASH


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One operation of a caller.

    operation     its name, such as `get-person`
    resource_ids  ids of what it was applied to; never names of people
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
    """The heads of all chains at a time."""

    at: datetime
    heads: Mapping[str, ChainHead]


@dataclass(frozen=True, slots=True)
class ChainBreak:
    """The first invalid entry of a chain, and the reason."""

    chain: str
    number: int
    reason: str


def chain_for(caller: str) -> str:
    """The chain of a caller's entries."""
    return f"chain-{hashlib.sha256(caller.encode()).digest()[0] % CHAIN_COUNT}"


def find_first_break(entries: Iterable[tuple[AuditEntry, str]]) -> ChainBreak | None:
    """Verify a chain from its start; `entries` are (entry, its stored hash), in order."""
    end = _follow_chain(entries, ChainHead())
    return end if isinstance(end, ChainBreak) else None


def extend_head(
    chain: str, anchor: ChainHead, entries: Iterable[tuple[AuditEntry, str]]
) -> ChainHead | ChainBreak:
    """The new end of a chain, if its former end is still in it and the entries since follow from that.

    entries  (entry, its stored hash) from the former end on, which is the first of them
    """
    links = iter(entries)
    if anchor.number:
        entry, stored_hash = next(links, (None, ""))
        found = find_difference(
            chain, anchor, stored_hash if entry and entry.number == anchor.number else None
        )
        if found is not None:
            return found
        if entry is not None and entry.entry_hash != stored_hash:
            return ChainBreak(chain, anchor.number, "was changed")
    return _follow_chain(links, anchor)


def find_difference(chain: str, anchor: ChainHead, stored_hash: str | None) -> ChainBreak | None:
    """Where a chain differs from a checkpoint, because it was cut off or rewritten.

    stored_hash  of the entry with the number of the anchor; None if there is none
    """
    if anchor.number == 0:
        return None
    if stored_hash is None:
        return ChainBreak(chain, anchor.number, "is missing, and a checkpoint knows it")
    if stored_hash != anchor.entry_hash:
        return ChainBreak(chain, anchor.number, "is not the one that a checkpoint knows")
    return None


def _follow_chain(entries: Iterable[tuple[AuditEntry, str]], head: ChainHead) -> ChainHead | ChainBreak:
    for entry, stored_hash in entries:
        if entry.number != head.number + 1:
            return ChainBreak(entry.chain, head.number + 1, "is missing")
        if entry.previous_hash != head.entry_hash:
            return ChainBreak(entry.chain, entry.number, "does not follow from the one before it")
        if stored_hash != entry.entry_hash:
            return ChainBreak(entry.chain, entry.number, "was changed")
        head = ChainHead(entry.number, stored_hash)
    return head
