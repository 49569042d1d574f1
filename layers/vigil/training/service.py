"""A training job, from the wish to its end: asked for under a name that cannot be spent twice."""

from datetime import datetime
from typing import Protocol

from vigil.training.jobs import (
    CostEstimate,
    InstancePool,
    JobAccepted,
    JobEvent,
    JobRefused,
    TrainingJob,
    TrainingJobRequest,
    TrainingLimits,
    TrainingPaths,
    apply_event,
    estimate_cost,
    resume_if_due,
    training_job_request,
)


class Trainer(Protocol):
    """Where jobs run. Raises Transient."""

    def create_job(self, request: TrainingJobRequest) -> JobAccepted | JobRefused:
        """Make the job, or find it made under the same name."""

    def find_outcome(self, name: str) -> JobEvent | None:
        """How a job ended; None while it has not."""


def submit(
    job: TrainingJob,
    trainer: Trainer,
    *,
    paths: TrainingPaths,
    pool: InstancePool,
    limits: TrainingLimits,
    now: datetime,
) -> TrainingJob:
    """Ask for a job that is wanted, on one machine after another, until one takes it or it has to wait."""
    job = resume_if_due(job, now)
    while job.state == "requested":
        job_request = training_job_request(
            job.spec,
            attempt=job.attempt,
            paths=paths,
            instance_type=pool.instance_types[job.instance_index],
            use_spot=pool.spot,
            limits=limits,
        )
        job = apply_event(job, trainer.create_job(job_request), attempt_name=job.name, pool=pool, now=now)
    return job


def refresh(job: TrainingJob, trainer: Trainer, *, pool: InstancePool, now: datetime) -> TrainingJob:
    """A running job as its trainer has it: what no event told is found out all the same."""
    if job.state != "running":
        return job
    event = trainer.find_outcome(job.name)
    return job if event is None else apply_event(job, event, attempt_name=job.name, pool=pool, now=now)


def expected_cost(
    job: TrainingJob, pool: InstancePool, limits: TrainingLimits, expected_s: float
) -> CostEstimate:
    """What the job will cost on the machine that it is tried on."""
    return estimate_cost(
        pool.instance_types[job.instance_index], spot=pool.spot, expected_s=expected_s, limits=limits
    )
