"""A lesson becomes one training job, whatever is refused, lost or told twice."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fakes.memory import NOON
from vigil.training.jobs import (
    PROGRESS_METRICS,
    CapacityUnavailable,
    InstancePool,
    InstanceType,
    JobAccepted,
    JobCompleted,
    JobEvent,
    JobFailed,
    JobRefused,
    JobStopped,
    TrainingJob,
    TrainingLimits,
    TrainingPaths,
    TrainingSpec,
    apply_event,
    default_instance_types,
    estimate_cost,
    job_name,
    new_job,
    resume_if_due,
    training_cost,
    training_job_request,
)

SPEC = TrainingSpec("classifier", "digits", "d" * 16, "[recipe]\n", "p" * 16, "image@sha256:0")
CHEAP, DEAR = InstanceType("ml.m5.xlarge", 0.23, 0.08), InstanceType("ml.m5.2xlarge", 0.92, 0.32)
HOUR = timedelta(hours=1)
POOL = InstancePool((CHEAP, DEAR), spot=True, initial_backoff=HOUR, max_backoff=4 * HOUR, deadline=48 * HOUR)
LIMITS = TrainingLimits(max_run_s=3600, max_wait_s=7200, volume_gb=30)
PATHS = TrainingPaths("s3://b/data/d", "s3://b/recipes/r", "s3://b/out", "s3://b/checkpoints")


def after(events: Sequence[JobEvent], job: TrainingJob | None = None) -> TrainingJob:
    job = job or new_job(SPEC, NOON)
    for event in events:
        job = apply_event(job, event, attempt_name=job.name, pool=POOL, now=NOON)
    return job


def test_the_same_spec_has_the_same_name_and_another_recipe_another():
    assert job_name(SPEC, 1) == job_name(replace(SPEC), 1)
    assert job_name(SPEC, 1) != job_name(replace(SPEC, recipe="[recipe]\nseed = 2\n"), 1)


def test_a_name_is_one_that_the_trainer_allows():
    name = job_name(replace(SPEC, model="a" * 63), 12)

    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name)


def test_a_request_is_complete_and_all_attempts_share_their_checkpoints():
    one, two = (
        training_job_request(SPEC, attempt=n, paths=PATHS, instance_type=CHEAP, use_spot=True, limits=LIMITS)
        for n in (1, 2)
    )

    assert one.checkpoints == two.checkpoints
    assert one.name != two.name
    assert set(one.channels) == {"train", "validation", "test", "recipe"}
    assert one.hyperparameters["task"] == "classifier"


def test_a_job_runs_and_is_done():
    assert after([JobAccepted(), JobCompleted()]).state == "done"


def test_a_completion_without_a_start_event_counts():
    assert after([JobCompleted()]).state == "done"


def test_events_after_the_end_change_nothing():
    done = after([JobAccepted(), JobCompleted()])

    assert after([JobFailed("late"), JobStopped("late"), JobAccepted(), JobRefused("quota")], done) == done


def test_events_of_an_earlier_attempt_change_nothing():
    second = after([JobAccepted(), CapacityUnavailable("capacity")])

    assert (
        apply_event(second, JobFailed("late"), attempt_name=job_name(SPEC, 1), pool=POOL, now=NOON) == second
    )


def test_a_refusal_tries_the_next_instance_type_under_the_same_name():
    job = after([JobRefused("capacity")])

    assert (job.state, job.instance_index, job.attempt) == ("requested", 1, 1)


def test_a_job_created_without_capacity_uses_up_its_name():
    job = after([JobAccepted(), CapacityUnavailable("capacity")])

    assert (job.state, job.instance_index, job.attempt) == ("requested", 1, 2)


def test_after_all_instance_types_refuse_the_job_waits_and_starts_again():
    waiting = after([JobRefused("capacity"), JobRefused("quota")])

    assert (waiting.state, waiting.next_attempt_at, waiting.detail) == ("waiting", NOON + HOUR, "no quota")
    assert resume_if_due(waiting, NOON).state == "waiting"
    assert (
        resume_if_due(waiting, NOON + HOUR).state,
        resume_if_due(waiting, NOON + HOUR).instance_index,
    ) == ("requested", 0)


def test_a_job_refused_three_times_runs_once():
    job = after([JobRefused("capacity"), JobRefused("capacity")])
    job = after(
        [JobRefused("capacity"), JobAccepted(), JobAccepted(), JobCompleted()],
        resume_if_due(job, NOON + HOUR),
    )

    assert (job.state, job.attempt, job.instance_index) == ("done", 1, 1)


def test_waits_grow_to_a_limit_and_end_at_the_deadline():
    job, now, pauses = new_job(SPEC, NOON), NOON, []
    while job.state != "failed":
        for _ in POOL.instance_types:
            job = apply_event(job, JobRefused("capacity"), attempt_name=job.name, pool=POOL, now=now)
        if job.next_attempt_at is not None:
            pauses.append(job.next_attempt_at - now)
            now = job.next_attempt_at
            job = resume_if_due(job, now)

    assert pauses[:4] == [HOUR, 2 * HOUR, 4 * HOUR, 4 * HOUR]
    assert now - NOON >= POOL.deadline
    assert "no capacity" in job.detail


def test_an_estimate_has_the_spot_cost_and_the_on_demand_maximum():
    found = estimate_cost(DEAR, spot=True, expected_s=1800, limits=LIMITS)

    assert (found.expected_usd, found.max_usd) == pytest.approx((0.5 * 0.16 * 2, 0.46 * 2))


def test_a_bill_is_for_the_billed_seconds():
    found = training_cost(CHEAP, training_s=3600, billable_s=900)

    assert (found.billed_usd, found.saved_usd) == pytest.approx((0.23 / 4, 0.23 * 3 / 4))


def test_the_default_instance_types_are_valid():
    assert [one.name for one in default_instance_types()] == [
        "ml.m5.xlarge",
        "ml.c5.xlarge",
        "ml.m5.2xlarge",
    ]


def test_metric_expressions_find_their_figures_in_a_progress_line():
    line = "epoch=3 train_loss=1.5e-2 validation_loss=0.2 validation_score=0.97 "
    line += "steps_per_s=12.5 peak_memory_mb=210"

    found = {name: float(match[1]) for name, e in PROGRESS_METRICS.items() if (match := re.search(e, line))}

    assert found == {
        "train:loss": 0.015,
        "validation:loss": 0.2,
        "validation:score": 0.97,
        "train:steps_per_s": 12.5,
        "train:peak_memory_mb": 210,
    }
