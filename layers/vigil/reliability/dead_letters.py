"""Dead letters, the fault that each one shares with others, and what can be decided about one."""

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
    """What equal failures have in common.

    kind        the exception's type, or WorkerDied, or NeverClaimed
    message     without ids, numbers, times and quoted text
    dependency  the dependency that failed; "model" for errors in our own code
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
        """A line for people."""
        return f"{self.id}: {self.kind} in {self.stage}: {self.message}"

    @property
    def is_transient(self) -> bool:
        """Whether a later attempt may succeed; after a bug, or an input that kills workers, it will not."""
        return self.kind in (TRANSIENT, NEVER_CLAIMED, DAMAGED_RELEASE)


def fingerprint_of(record: DropRecord | None) -> Fingerprint:
    """The fingerprint of a drop without a final state; `record` is None if no worker ever claimed it."""
    if record is None:
        return Fingerprint("claim", NEVER_CLAIMED, "no worker ever claimed it", "", "function")
    stage = record.stage or "claim"
    if not record.error:
        return Fingerprint(stage, WORKER_DIED, "its worker died without an error", record.release, MODEL)
    kind, _, message = record.error.partition(": ")
    return Fingerprint(stage, kind, normalise_message(message), record.release, record.dependency)


def normalise_message(message: str) -> str:
    """The message with placeholders for ids, numbers, times and quoted text."""
    for pattern, placeholder in _VARIABLE_PARTS:
        message = pattern.sub(placeholder, message)
    return message[:200]


FaultPhase = Literal["new", "testing", "resolved", "backing-off"]


@dataclass(frozen=True, slots=True)
class SuspectDrop:
    """A drop that may kill its workers or meet a bug at every attempt.

    attempts_before  its attempts when it became a suspect: only later ones are evidence
    """

    drop_id: str
    attempts_before: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message in a dead-letter queue.

    sent_at   when it was last put into its lane, by S3, a client or triage
    redrives  how often it was redriven before
    drops     all drops that it contains, in order; none for S3's test event
    suspect   the suspect drop of its last redrive; None if its fault was transient
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
    """The state of one fingerprint in triage; `since` is when its phase began."""

    fingerprint: Fingerprint
    first_failed_at: datetime
    since: datetime
    phase: FaultPhase = "new"
    canary_drop_id: str = ""
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Redrive:
    """Send the message back to its lane with a delay."""

    dead_letter: DeadLetter
    reason: str
    suspect: SuspectDrop | None = None
    delay: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Quarantine these of its drops; `reason` is stable and machine-readable.

    A message with other drops stays in the queue until those have a final state.
    """

    dead_letter: DeadLetter
    drops: tuple[Drop | InvalidMessage, ...]
    stage: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Discard:
    """Delete the message: every drop in it has a final state."""

    dead_letter: DeadLetter
    reason: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave the message in the dead-letter queue."""

    dead_letter: DeadLetter
    reason: str


@dataclass(frozen=True, slots=True)
class NewFault:
    """Notify operators of a new fault, with one dead letter as evidence."""

    case: FaultCase
    dead_letter: DeadLetter
    dead_letter_count: int


TriageDecision = Redrive | Quarantine | Discard | Leave | NewFault


class DeadLetterQueue(Protocol):
    """One lane's dead-letter queue. All raise Transient."""

    def receive(self, max_messages: int) -> Sequence[DeadLetter]:
        """At most this many messages, invisible to other receivers for a while."""

    def redrive(self, decision: Redrive) -> None:
        """Send it to its lane with its number of redrives raised by one; at least once."""

    def delete(self, dead_letter: DeadLetter) -> None:
        """Delete the message from its queue."""


def redrive(decision: Redrive, queue: DeadLetterQueue, notes: DropNotes, now: datetime) -> None:
    """Note, send, delete: after a crash the message may be in both queues, which the ledger tolerates."""
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
    """Note why each drop's message is deleted, then delete it."""
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
    """A note for each drop; a message without drops gets one under its own id."""
    for drop in [drop.id for drop in drops] or [compute_drop_id("message", dead_letter.id)]:
        notes.add_note(drop, action=action, reason=reason, now=now)
