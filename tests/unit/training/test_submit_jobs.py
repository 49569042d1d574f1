"""A lesson reaches its end whatever is refused, lost or told twice; and never as two jobs."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.fakes.memory import NOON
from vigil.training.jobs import (
    InstancePool,
    Interrupted,
    JobAccepted,
    JobCompleted,
    JobEvent,
    JobFailed,
    JobRefused,
    TrainingJob,
    TrainingJobRequest,
    TrainingLimits,
    TrainingPaths,
    TrainingSpec,
    apply_event,
    default_instance_types,
    new_job,
    retry,
)
from vigil.training.service import refresh, submit

POOL = InstancePool(
    default_instance_types(), True, timedelta(minutes=5), timedelta(hours=2), timedelta(days=2)
)
PATHS = TrainingPaths("s3://b/data", "s3://b/recipe/", "s3://b/jobs", "s3://b/checkpoints")
LIMITS = TrainingLimits(3600, 3600, 30)
SPEC = TrainingSpec("classifier", "digits", "d1", "[fit]", None, "image")


@dataclass
class FakeTrainer:
    """Port Trainer: refuses so often, then takes jobs; `ends` is how they ended."""

    refusals: int = 0
    requests: list[TrainingJobRequest] = field(default_factory=list)
    outcomes: dict[str, JobEvent] = field(default_factory=dict)

    def create_job(self, request: TrainingJobRequest) -> JobAccepted | JobRefused:
        self.requests.append(request)
        if self.refusals:
            self.refusals -= 1
            return JobRefused("capacity")
        return JobAccepted()

    def find_outcome(self, name: str) -> JobEvent | None:
        return self.outcomes.get(name)


def submitted(job: TrainingJob, trainer: FakeTrainer, at: datetime) -> TrainingJob:
    return submit(job, trainer, paths=PATHS, pool=POOL, limits=LIMITS, now=at)


def test_three_refusals_wait_and_are_followed_by_the_same_job():
    yard = FakeTrainer(refusals=3)

    waiting = submitted(new_job(SPEC, NOON), yard, NOON)
    still = submitted(waiting, yard, NOON + timedelta(minutes=4))
    running = submitted(still, yard, NOON + timedelta(minutes=5))

    assert (waiting.state, still.state, running.state) == ("waiting", "waiting", "running")
    assert [one.instance_type for one in yard.requests] == [*POOL.instance_types, POOL.instance_types[0]]
    assert len({one.name for one in yard.requests}) == 1


def test_a_refresh_finds_the_outcome_of_a_lost_event():
    yard = FakeTrainer()
    job = submitted(new_job(SPEC, NOON), yard, NOON)
    yard.outcomes[job.name] = JobCompleted()

    assert refresh(job, yard, pool=POOL, now=NOON).state == "done"


def test_a_failed_job_is_requested_again_under_the_next_name():
    yard = FakeTrainer()
    job = submitted(new_job(SPEC, NOON), yard, NOON)
    yard.outcomes[job.name] = JobFailed("out of memory")
    failed = refresh(job, yard, pool=POOL, now=NOON)

    second = submitted(retry(failed, NOON), yard, NOON)

    assert (failed.state, second.state) == ("failed", "running")
    assert [one.name for one in yard.requests] == [f"vigil-digits-{SPEC.id}-{n}" for n in (1, 2)]


def interrupted(job: TrainingJob, trainer: FakeTrainer) -> TrainingJob:
    """What a tick makes of a job whose process was killed: it is looked at, and pushed."""
    trainer.outcomes[job.name] = Interrupted("exit code: 137")
    return submitted(refresh(job, trainer, pool=POOL, now=NOON), trainer, NOON)


def test_an_interrupted_job_continues_under_the_next_name_from_the_same_checkpoints():
    yard = FakeTrainer()

    second = interrupted(submitted(new_job(SPEC, NOON), yard, NOON), yard)

    assert (second.state, second.attempt) == ("running", 2)
    assert len({one.name for one in yard.requests}) == 2
    assert len({one.checkpoints for one in yard.requests}) == 1


def test_a_job_that_is_interrupted_repeatedly_fails():
    yard = FakeTrainer()
    job = submitted(new_job(SPEC, NOON), yard, NOON)

    while job.state == "running":
        job = interrupted(job, yard)

    assert (job.state, job.detail) == ("failed", "interrupted 3 times: exit code: 137")
    assert len(yard.requests) == 3


def test_a_repeated_interruption_event_counts_once():
    yard = FakeTrainer()
    job = submitted(new_job(SPEC, NOON), yard, NOON)

    again = apply_event(
        interrupted(job, yard), Interrupted("exit code: 137"), attempt_name=job.name, pool=POOL, now=NOON
    )

    assert (again.state, again.interruptions) == ("running", 1)


def test_the_same_order_twice_has_one_name():
    yard = FakeTrainer()
    for _ in range(2):
        submitted(new_job(SPEC, NOON), yard, NOON)

    assert len({one.name for one in yard.requests}) == 1
