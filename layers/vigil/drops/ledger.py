"""A drop's ledger record, read back by those who mend: how far it came, and what it died of."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, Protocol

from vigil.alerts.alert import Alert
from vigil.drops.messages import Drop, InvalidMessage, S3Object
from vigil.errors import NoDependencyFailed
from vigil.inference.types import Prediction


@dataclass(frozen=True, slots=True)
class DropRecord:
    """What the ledger holds of one drop.

    state    claimed, done, rejected or quarantined
    until    when its last lease ended or will end
    stage    the last one noted
    error    what the last attempt said; empty where its worker died without a word
    release  of the model that was at work, empty where none was yet
    where    the object, None for inline data
    dependency  what the last failure is counted against; empty if none failed
    """

    drop_id: str
    state: str
    attempts: int
    lease_until: datetime
    stage: str = ""
    error: str = ""
    release: str = ""
    s3_object: S3Object | None = None
    dependency: str = ""
    model: str = ""
    source: str = ""

    @property
    def is_terminal(self) -> bool:
        return self.state != "claimed"

    def is_leased(self, now: datetime) -> bool:
        """Whether a worker may still be at it."""
        return not self.is_terminal and self.lease_until > now


class DropRecordReader(Protocol):
    """Where ledger records are read, consistently."""

    def read_records(self, drop_ids: Collection[str]) -> Mapping[str, DropRecord]:
        """The records of these drops; one that was never claimed is absent. Raises Transient."""


# MERGED: One record a drop: who works on it until when, and how it ended. / (none) ── claim ──> claimed ──
#   settle ──> done | rejected | quarantined / │  ▲ / lease ends   ▼  │ claim / (free to be claimed again) /
#   A lease never outlives the invocation that holds it, so a worker killed in mid-drop frees the drop / by
#   dying; its late writes fail, because every write names the owner.

if TYPE_CHECKING:
    from vigil.alerts.unknown_subjects import UnknownSubjects

TerminalState = Literal["done", "rejected", "quarantined"]
DropState = Literal["claimed", "done", "rejected", "quarantined"]

MAX_LEASE = timedelta(minutes=15)
"""Lambda's longest invocation: a lease said to last longer was taken by a clock gone wrong, and is free."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a drop: `owner` is one invocation, `attempt` counts from 1."""

    drop_id: str
    owner: str
    attempt: int
    until: datetime


@dataclass(frozen=True, slots=True)
class AlreadyCompleted:
    """The drop already has its end: nothing is left to do."""

    state: TerminalState


@dataclass(frozen=True, slots=True)
class LeaseHeld:
    """Another worker holds the drop until then."""

    until: datetime


@dataclass(frozen=True, slots=True)
class ProcessingResult:
    """What is to be kept of a drop that was looked at: all of it, or nothing.

    strangers  the window's strangers as read and added to; None where no rule asks for them
    times_ms   milliseconds by stage
    store_unknown_faces  whether faces of strangers are kept, too
    """

    prediction: Prediction
    release: str
    alerts: tuple[Alert, ...]
    unknown_subjects: "UnknownSubjects | None"
    times_ms: Mapping[str, float]
    store_unknown_faces: bool = False


class LeaseLost(NoDependencyFailed):
    """Somebody else took the drop over, or settled it: what this worker has must not be kept."""


class SubjectBeingErased(NoDependencyFailed):
    """Somebody in the scene is being erased: whoever looks again finds a gallery without them."""


class Ledger(Protocol):
    """The ledger's promises. All raise Transient when the store is away."""

    def claim(
        self, drop: Drop | InvalidMessage, *, owner: str, now: datetime, until: datetime
    ) -> Lease | AlreadyCompleted | LeaseHeld:
        """Take the drop, if it is new, its lease has ended, or it claims to be longer than any can be.

        What the last attempt said is forgotten: a record without an error is of a worker that died.
        """

    def renew(self, lease: Lease, *, stage: str, until: datetime) -> Lease:
        """Hold on, and note the stage reached. Raises LeaseLost."""

    def release_lease(
        self,
        lease: Lease,
        *,
        stage: str,
        error: str,
        dependency: str | None,
        now: datetime,
        release: str = "",
    ) -> None:
        """End the lease after a failure and record its stage, error, dependency and release.

        A lost lease is no error.
        """

    def alert_capacity(self, prediction: Prediction) -> int:
        """The number of alerts that one save can write beside this prediction."""

    def save_result(self, lease: Lease, drop: Drop, result: ProcessingResult, *, now: datetime) -> None:
        """Done: sightings, alerts, strangers and the drop's end in one transaction.

        Raises LeaseLost, Departed, or Overtaken; then nothing was kept.
        """

    def reject(self, lease: Lease, *, reason: str, message: str, stage: str, now: datetime) -> None:
        """Rejected, for the input's fault. Raises LeaseLost."""

    def quarantine(self, lease: Lease, *, reason: str, message: str, stage: str, now: datetime) -> None:
        """Set aside: it kills workers, or meets a bug whenever it is tried. Raises LeaseLost."""

    def is_suppressed(self, alert: Alert, *, now: datetime) -> bool:
        """Whether people dismissed the same of late: rule, subject, source. Asked only of what is raised."""

    def unknown_subjects(self, source: str, window: str) -> "UnknownSubjects":
        """Who was unknown at a source in a window so far, read consistently."""


class DropNotes(Protocol):
    """The ledger's lines beside a drop's record."""

    def add_note(self, drop: str, *, action: str, reason: str, now: datetime) -> None:
        """What was done with a drop's message, and why."""
