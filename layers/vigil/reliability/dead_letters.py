"""Where and how a drop failed, without what is its own: equal failures get equal fingerprints."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from vigil.drops.ledger import DropNotes, DropRecord
from vigil.drops.messages import Drop, InvalidMessage, compute_drop_id
from vigil.errors import MODEL, Transient

TRANSIENT = Transient.__name__
"""The kind of every Transient error: records name the family, not the class."""

WORKER_DIED = "WorkerDied"
NEVER_CLAIMED = "NeverClaimed"
DAMAGED_RELEASE = "DamagedRelease"

_VARIABLE_PARTS = (
    (re.compile(r"s3://\S+"), "<object>"),
    (re.compile(r"'[^']*'|\"[^\"]*\""), "<text>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT[\d:.+Z-]+"), "<time>"),
    (re.compile(r"\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "<id>"),
    (re.compile(r"\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{12,}\b"), "<id>"),
    (re.compile(r"\d+(\.\d+)?"), "<n>"),
)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What failures have in common.

    kind        the exception's type, or WorkerDied, or NeverClaimed
    message     with ids, numbers, times and quoted text taken out
    dependency  whose failure it is: a store's, or "model" for what happened in our own code
    """

    stage: str
    kind: str
    message: str
    release: str
    dependency: str

    @property
    def id(self) -> str:
        parts = (self.stage, self.kind, self.message, self.release, self.dependency)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    @property
    def description(self) -> str:
        """For people: which fault it is, and what it looks like."""
        return f"{self.id}: {self.kind} in {self.stage}: {self.message}"

    @property
    def is_transient(self) -> bool:
        """Whether time may mend it; a bug, or an input that kills workers, will be the same tomorrow."""
        return self.kind in (TRANSIENT, NEVER_CLAIMED, DAMAGED_RELEASE)


def fingerprint_of(record: DropRecord | None) -> Fingerprint:
    """Of a drop that did not reach its end; None where no worker ever claimed it."""
    if record is None:
        return Fingerprint("claim", NEVER_CLAIMED, "no worker ever claimed it", "", "function")
    stage = record.stage or "claim"
    if not record.error:
        return Fingerprint(stage, WORKER_DIED, "its worker died without a word", record.release, MODEL)
    kind, _, message = record.error.partition(": ")
    return Fingerprint(stage, kind, normalise_message(message), record.release, record.dependency)


def normalise_message(message: str) -> str:
    """The message without what only this failure has."""
    for pattern, placeholder in _VARIABLE_PARTS:
        message = pattern.sub(placeholder, message)
    return message[:200]


# MERGED: Dead letters, the cases that they belong to, and all that can be decided about one.

FaultPhase = Literal["new", "testing", "resolved", "backing-off"]


@dataclass(frozen=True, slots=True)
class SuspectDrop:
    """A drop that may kill its workers, or meet a bug whenever it is tried.

    attempts  at it when that was first thought of it: those since are evidence
    """

    drop_id: str
    attempts_before: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message in a dead-letter queue.

    sent       when it was last put into its lane, by S3, a client or triage
    redrives   how often it was sent back before
    drops      all that it announces, in its own order; none for S3's test event
    suspicion  under which it was last sent back; None where time might have mended what it failed of
    """

    id: str
    lane: str
    body: str
    receipt_handle: str
    sent_at: datetime
    redrives: int
    drops: tuple[Drop | InvalidMessage, ...]
    suspect: SuspectDrop | None = None


@dataclass(frozen=True, slots=True)
class FaultCase:
    """One fingerprint's story: `since` when its phase began, `canary` the drop that goes first."""

    fingerprint: Fingerprint
    first_failed_at: datetime
    since: datetime
    phase: FaultPhase = "new"
    canary_drop_id: str = ""
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Redrive:
    """Send it back to its lane, to be seen there after so long."""

    dead_letter: DeadLetter
    reason: str
    suspect: SuspectDrop | None = None
    delay: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Settle these of its drops as quarantined; `reason` is stable and machine-readable.

    A letter that announces others too stays, until those have their end.
    """

    dead_letter: DeadLetter
    drops: tuple[Drop | InvalidMessage, ...]
    stage: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Discard:
    """Delete it: every drop in it has its end already."""

    dead_letter: DeadLetter
    reason: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave it where it is."""

    dead_letter: DeadLetter
    reason: str


@dataclass(frozen=True, slots=True)
class NewFault:
    """Tell operators of a fault never seen before, with a letter as evidence."""

    case: FaultCase
    dead_letter: DeadLetter
    dead_letter_count: int


TriageDecision = Redrive | Quarantine | Discard | Leave | NewFault


# MERGED: How a dead letter leaves its queue: first the ledger's line that says why, then the deed.


class DeadLetterQueue(Protocol):
    """One lane's dead-letter queue. All raise Transient."""

    def receive(self, max_messages: int) -> Sequence[DeadLetter]:
        """So many letters, hidden from others for a while."""

    def redrive(self, decision: Redrive) -> None:
        """Into its lane, one more redrive to its name; at least once."""

    def delete(self, dead_letter: DeadLetter) -> None:
        """For good."""


def redrive(decision: Redrive, queue: DeadLetterQueue, notes: DropNotes, now: datetime) -> None:
    """Back to its lane; a crash in between leaves it in both, which the ledger knows for one drop."""
    add_notes(
        decision.dead_letter,
        decision.dead_letter.drops,
        notes,
        action="redriven",
        reason=decision.reason,
        now=now,
    )
    queue.redrive(decision)
    queue.delete(decision.dead_letter)


def delete_with_note(
    dead_letter: DeadLetter,
    queue: DeadLetterQueue,
    *,
    action: str,
    reason: str,
    notes: DropNotes,
    now: datetime,
) -> None:
    """Out of its queue for good: every drop in it has its end."""
    add_notes(dead_letter, dead_letter.drops, notes, action=action, reason=reason, now=now)
    queue.delete(dead_letter)


def add_notes(
    dead_letter: DeadLetter,
    drops: Sequence[Drop | InvalidMessage],
    notes: DropNotes,
    *,
    action: str,
    reason: str,
    now: datetime,
) -> None:
    """A line for each drop; what announces nothing has its line under the message's own id."""
    for drop in [drop.id for drop in drops] or [compute_drop_id("message", dead_letter.id)]:
        notes.add_note(drop, action=action, reason=reason, now=now)
