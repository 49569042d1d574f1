"""One record a drop: who works on it until when, and how it ended.

    (none) ── claim ──> claimed ── settle ──> done | rejected | quarantined
                          │  ▲
             lease ends   ▼  │ claim
                        (free to be claimed again)

A lease never outlives the invocation that holds it, so a worker killed in mid-drop frees the drop
by dying; its late writes fail, because every write names the owner.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from vigil.drops import Drop, Misfit
from vigil.errors import Transient
from vigil.seeing import Scene
from vigil.watch.alerts import Alert
from vigil.watch.strangers import Strangers

Terminal = Literal["done", "rejected", "quarantined"]

LONGEST_LEASE = timedelta(minutes=15)
"""Lambda's longest invocation: a lease said to last longer was taken by a clock gone wrong, and is free."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a drop: `owner` is one invocation, `attempt` counts from 1."""

    drop: str
    owner: str
    attempt: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Settled:
    """The drop already has its end: nothing is left to do."""

    state: Terminal


@dataclass(frozen=True, slots=True)
class Held:
    """Another worker holds the drop until then."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Result:
    """What is to be kept of a drop that was looked at: all of it, or nothing.

    strangers  the window's strangers as read and added to; None where no rule asks for them
    times_ms   milliseconds by stage
    remember   whether faces of strangers are kept, too
    """

    scene: Scene
    release: str
    alerts: tuple[Alert, ...]
    strangers: Strangers | None
    times_ms: Mapping[str, float]
    remember: bool = False


class LeaseLost(Transient):
    """Somebody else took the drop over, or settled it: what this worker has must not be kept."""


class Overtaken(Transient):
    """Another drop changed the window's strangers in between: look again and judge anew."""


class Departed(Transient):
    """Somebody in the scene is being erased: whoever looks again finds a gallery without them."""


class Ledger(Protocol):
    """The ledger's promises. All raise Transient when the store is away."""

    def claim(
        self, drop: Drop | Misfit, *, owner: str, now: datetime, until: datetime
    ) -> Claim | Settled | Held:
        """Take the drop, if it is new, its lease has ended, or it claims to be longer than any can be.

        What the last attempt said is forgotten: a record without an error is of a worker that died.
        """

    def renew(self, claim: Claim, *, stage: str, until: datetime) -> Claim:
        """Hold on, and note the stage reached. Raises LeaseLost."""

    def release(
        self, claim: Claim, *, stage: str, error: str, now: datetime, model_release: str = ""
    ) -> None:
        """Let go after a failure, saying where, why and under which model. A lost lease is no error."""

    def keep(self, claim: Claim, drop: Drop, result: Result, *, now: datetime) -> None:
        """Done: sightings, alerts, strangers and the drop's end in one transaction.

        Raises LeaseLost, Departed, or Overtaken; then nothing was kept.
        """

    def reject(self, claim: Claim, *, reason: str, message: str, stage: str, now: datetime) -> None:
        """Rejected, for the input's fault. Raises LeaseLost."""

    def quarantine(self, claim: Claim, *, reason: str, message: str, stage: str, now: datetime) -> None:
        """Set aside: it kills workers, or meets a bug whenever it is tried. Raises LeaseLost."""

    def silent(self, alert: Alert, *, now: datetime) -> bool:
        """Whether people dismissed the same of late: rule, subject, source. Asked only of what is raised."""

    def strangers(self, source: str, window: str) -> Strangers:
        """Who was unknown at a source in a window so far, read consistently."""
