"""Dead letters, the cases that they belong to, and all that can be decided about one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from vigil.drops import Drop, Misfit
from vigil.steady.fingerprint import Fingerprint

Phase = Literal["new", "trying", "mended", "resting"]


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A drop that may kill its workers, or meet a bug whenever it is tried.

    attempts  at it when that was first thought of it: those since are evidence
    """

    drop: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A message in a dead-letter queue.

    sent       when it was last put into its lane, by S3, a client or triage
    redrives   how often it was sent back before
    drops      all that it announces, in its own order; none for S3's test event
    suspicion  under which it was last sent back; None where time might have mended what it failed of
    """

    id: str
    lane: str
    body: str
    receipt: str
    sent: datetime
    redrives: int
    drops: tuple[Drop | Misfit, ...]
    suspicion: Suspicion | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One fingerprint's story: `since` when its phase began, `canary` the drop that goes first."""

    fingerprint: Fingerprint
    seen: datetime
    since: datetime
    phase: Phase = "new"
    canary: str = ""
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Redrive:
    """Send it back to its lane, to be seen there after so long."""

    letter: Letter
    why: str
    suspicion: Suspicion | None = None
    after: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Settle these of its drops as quarantined; `reason` is stable and machine-readable.

    A letter that announces others too stays, until those have their end.
    """

    letter: Letter
    drops: tuple[Drop | Misfit, ...]
    stage: str
    reason: str
    why: str


@dataclass(frozen=True, slots=True)
class Discard:
    """Delete it: every drop in it has its end already."""

    letter: Letter
    why: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Leave it where it is."""

    letter: Letter
    why: str


@dataclass(frozen=True, slots=True)
class Alert:
    """Tell operators of a fault never seen before, with a letter as evidence."""

    case: Case
    letter: Letter
    letters: int


Decision = Redrive | Quarantine | Discard | Wait | Alert
