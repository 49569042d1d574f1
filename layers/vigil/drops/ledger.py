"""The ledger: one record for each drop, who works on it until when, and how it ended.

    (none) ── claim ──> claimed ── save, reject, quarantine ──> done | rejected | quarantined
                         │  ▲
               lease ends ▼  │ claim
                  (free to be claimed again)

A lease never outlives the invocation that holds it: a worker that is killed frees its drop, and its late
writes fail because every write names the owner.
"""

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
    """The ledger's record of one drop.

    state        claimed, done, rejected or quarantined
    lease_until  the end of its last lease
    stage        the last recorded stage
    error        of the last attempt; empty if its worker died
    release      of the model that was running; empty if none was yet
    s3_object    None for inline data
    dependency   that the last failure is counted against; empty if none failed
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
        """Whether a worker may still be processing it."""
        return not self.is_terminal and self.lease_until > now


class DropRecordReader(Protocol):
    """Reads ledger records consistently."""

    def read_records(self, drop_ids: Collection[str]) -> Mapping[str, DropRecord]:
        """The records of these drops by id; a drop that was never claimed has none. Raises Transient."""


if TYPE_CHECKING:
    from vigil.alerts.unknown_subjects import UnknownSubjects

TerminalState = Literal["done", "rejected", "quarantined"]
DropState = Literal["claimed", "done", "rejected", "quarantined"]

MAX_LEASE = timedelta(minutes=15)
"""Lambda's longest invocation: a lease that lasts longer comes from a wrong clock and does not count."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a drop: `owner` is one invocation, `attempt` counts from 1."""

    drop_id: str
    owner: str
    attempt: int
    until: datetime


@dataclass(frozen=True, slots=True)
class AlreadyCompleted:
    """The drop has a final state: nothing remains to be done."""

    state: TerminalState


@dataclass(frozen=True, slots=True)
class LeaseHeld:
    """Another worker holds the drop."""

    until: datetime


@dataclass(frozen=True, slots=True)
class ProcessingResult:
    """The result of a drop, which is saved as a whole or not at all.

    unknown_subjects     of the window, as read and extended; None if no rule needs them
    times_ms             milliseconds by stage
    store_unknown_faces  whether the faces of unknown subjects are stored
    """

    prediction: Prediction
    release: str
    alerts: tuple[Alert, ...]
    unknown_subjects: "UnknownSubjects | None"
    times_ms: Mapping[str, float]
    store_unknown_faces: bool = False


class LeaseLost(NoDependencyFailed):
    """Another worker took the drop over or completed it: this worker's result must not be saved."""


class SubjectBeingErased(NoDependencyFailed):
    """A recognised person is being erased: the next attempt finds a gallery without them."""


class Ledger(Protocol):
    """The ledger of drops. All methods raise Transient."""

    def claim(
        self, drop: Drop | InvalidMessage, *, owner: str, now: datetime, until: datetime
    ) -> Lease | AlreadyCompleted | LeaseHeld:
        """Claim a drop that is new, or whose lease has ended or is longer than MAX_LEASE.

        The error of the last attempt is removed: a record without one means that the worker died.
        """

    def renew(self, lease: Lease, *, stage: str, until: datetime) -> Lease:
        """Extend the lease and record the stage. Raises LeaseLost."""

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
        """Save sightings, alerts, unknown subjects and the final state in one transaction.

        Raises LeaseLost, SubjectBeingErased, ConcurrentUpdate; then nothing was saved.
        """

    def reject(self, lease: Lease, *, reason: str, message: str, stage: str, now: datetime) -> None:
        """Complete the drop as rejected: its input is at fault. Raises LeaseLost."""

    def quarantine(self, lease: Lease, *, reason: str, message: str, stage: str, now: datetime) -> None:
        """Complete the drop as quarantined: attempts kill workers or meet a bug. Raises LeaseLost."""

    def is_suppressed(self, alert: Alert, *, now: datetime) -> bool:
        """Whether a reviewer dismissed an alert of the same rule, subject and source recently."""

    def unknown_subjects(self, source: str, window: str) -> "UnknownSubjects":
        """The unknown subjects of a source in a window, read consistently."""


class DropNotes(Protocol):
    """Notes beside the record of a drop."""

    def add_note(self, drop: str, *, action: str, reason: str, now: datetime) -> None:
        """Note what was done with the message of a drop, and why. Raises Transient."""
