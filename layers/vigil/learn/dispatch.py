"""A training job's states: never a stall, never a second job for the same lesson.

    wanted ── accepted ──> running ── completed ──> done
       ▲  │                   │  ├── failed ──────> failed
       │  └── refused ──┐     │  └── stopped ─────> stopped
       │                ▼     │
       ├──── due ── waiting <─┤ starved (created, and ended for want of capacity)
       └────────── lost ──────┘

A refusal tries the next machine of the list at once; when all have refused, the job waits, longer each
round, and begins again with the first. It gives up only when the deadline has passed. A job that was lost
(its process killed, its machine gone) is wanted again under the next name, and goes on from the checkpoint
that all attempts share: no two of them ever run at a time.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from vigil.learn.training import Lesson, Machine, job_name

State = Literal["wanted", "waiting", "running", "done", "failed", "stopped"]
ENDED: frozenset[State] = frozenset({"done", "failed", "stopped"})
Want = Literal["capacity", "quota"]
MOST_LOSSES = 2
"""A lesson that was lost more often is itself what kills its process."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The machines to try, best first, and how patiently.

    pause     before the second round, doubled each round up to `longest`
    deadline  after which a job that never ran is given up
    """

    machines: tuple[Machine, ...]
    spot: bool
    pause: timedelta
    longest: timedelta
    deadline: timedelta


@dataclass(frozen=True, slots=True)
class Job:
    """One lesson's job.

    attempt  of the name: counts jobs that were created, from 1
    machine  index into the fleet
    round    how often the whole list has refused
    due      when a waiting job is to be tried again
    losses   how often it was lost
    text     why it waits, failed or stopped
    """

    lesson: Lesson
    state: State
    since: datetime
    asked: datetime
    attempt: int = 1
    machine: int = 0
    round: int = 0
    due: datetime | None = None
    losses: int = 0
    text: str = ""

    @property
    def name(self) -> str:
        """Of the training job that this attempt is."""
        return job_name(self.lesson, self.attempt)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The trainer has made the job, or already had one of this name."""


@dataclass(frozen=True, slots=True)
class Refused:
    """No job was made, for want of capacity or quota: the name is unspent."""

    want: Want


@dataclass(frozen=True, slots=True)
class Starved:
    """The job was made and ended before it could begin: the name is spent."""

    want: Want


@dataclass(frozen=True, slots=True)
class Lost:
    """The job was at work and was ended from outside: as far as is known, not by what it learned."""

    reason: str


@dataclass(frozen=True, slots=True)
class Completed:
    """The job ended well."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The job ended badly, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """A person or a limit ended the job."""

    reason: str


Event = Accepted | Refused | Starved | Lost | Completed | Failed | Stopped


def want(lesson: Lesson, now: datetime) -> Job:
    return Job(lesson, "wanted", now, now)


def happen(job: Job, event: Event, *, name: str, fleet: Fleet, now: datetime) -> Job:
    """The job after an event of the training job so named. Told twice or late, it changes nothing."""
    if job.state in ENDED or name != job.name:
        return job
    match event:
        case Accepted():
            return replace(job, state="running", since=now, due=None, text="")
        case Refused(lack) if job.state == "wanted":
            return _elsewhere(job, lack, fleet, now)
        case Starved(lack) if job.state == "running":
            return _elsewhere(replace(job, attempt=job.attempt + 1), lack, fleet, now)
        case Lost(reason) if job.state == "running":
            return _once_more(job, reason, now)
        case Completed():
            return replace(job, state="done", since=now, due=None, text="")
        case Failed(reason):
            return replace(job, state="failed", since=now, due=None, text=reason)
        case Stopped(reason):
            return replace(job, state="stopped", since=now, due=None, text=reason)
    return job


def again(job: Job, now: datetime) -> Job:
    """A job that ended without a release, wanted once more under the next name."""
    if job.state in ("failed", "stopped"):
        return Job(job.lesson, "wanted", now, now, attempt=job.attempt + 1)
    return job


def wake(job: Job, now: datetime) -> Job:
    """A waiting job whose time has come is wanted again."""
    if job.state == "waiting" and job.due is not None and job.due <= now:
        return replace(job, state="wanted", since=now, due=None)
    return job


def _once_more(job: Job, reason: str, now: datetime) -> Job:
    """Under the next name, on the same machine; given up where it is lost again and again."""
    if job.losses >= MOST_LOSSES:
        return replace(job, state="failed", since=now, text=f"lost {job.losses + 1} times: {reason}")
    losses = job.losses + 1
    return replace(job, state="wanted", since=now, attempt=job.attempt + 1, losses=losses, text=reason)


def _elsewhere(job: Job, lack: Want, fleet: Fleet, now: datetime) -> Job:
    """The next machine now, or the first again after a pause."""
    if job.machine + 1 < len(fleet.machines):
        return replace(job, state="wanted", since=now, machine=job.machine + 1)
    if now - job.asked >= fleet.deadline:
        text = f"no {lack} on any of {len(fleet.machines)} machines within {fleet.deadline}"
        return replace(job, state="failed", since=now, text=text)
    pause = min(fleet.pause * 2 ** min(job.round, 16), fleet.longest)
    return replace(
        job, state="waiting", since=now, machine=0, round=job.round + 1, due=now + pause, text=f"no {lack}"
    )
