"""A training job, from the wish to its end: asked for under a name that cannot be spent twice."""

from datetime import datetime
from typing import Protocol

from vigil.learn.cost import Estimate, estimate
from vigil.learn.dispatch import Accepted, Event, Fleet, Job, Refused, happen, wake
from vigil.learn.training import Limits, Place, Request, request


class Trainer(Protocol):
    """Where jobs run. Raises Transient."""

    def ask(self, request: Request) -> Accepted | Refused:
        """Make the job, or find it made under the same name."""

    def look(self, name: str) -> Event | None:
        """How a job ended; None while it has not."""


def push(job: Job, trainer: Trainer, *, place: Place, fleet: Fleet, limits: Limits, now: datetime) -> Job:
    """Ask for a job that is wanted, on one machine after another, until one takes it or it has to wait."""
    job = wake(job, now)
    while job.state == "wanted":
        asked = request(
            job.lesson,
            attempt=job.attempt,
            place=place,
            machine=fleet.machines[job.machine],
            spot=fleet.spot,
            limits=limits,
        )
        job = happen(job, trainer.ask(asked), name=job.name, fleet=fleet, now=now)
    return job


def look(job: Job, trainer: Trainer, *, fleet: Fleet, now: datetime) -> Job:
    """A running job as its trainer has it: what no event told is found out all the same."""
    if job.state != "running":
        return job
    event = trainer.look(job.name)
    return job if event is None else happen(job, event, name=job.name, fleet=fleet, now=now)


def expected(job: Job, fleet: Fleet, limits: Limits, expected_s: float) -> Estimate:
    """What the job will cost on the machine that it is tried on."""
    return estimate(fleet.machines[job.machine], spot=fleet.spot, expected_s=expected_s, limits=limits)
