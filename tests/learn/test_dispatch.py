"""A lesson becomes one training job, whatever is refused, lost or told twice."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.memory import NOON
from vigil.learn.cost import bill, default_machines, estimate
from vigil.learn.dispatch import (
    Accepted,
    Completed,
    Event,
    Failed,
    Fleet,
    Job,
    Refused,
    Starved,
    Stopped,
    happen,
    wake,
    want,
)
from vigil.learn.training import METRICS, Lesson, Limits, Machine, Place, job_name, request

LESSON = Lesson("classifier", "digits", "d" * 16, "[recipe]\n", "p" * 16, "image@sha256:0")
CHEAP, DEAR = Machine("ml.m5.xlarge", 1, 0.23, 0.08), Machine("ml.m5.2xlarge", 2, 0.46, 0.16)
HOUR = timedelta(hours=1)
FLEET = Fleet((CHEAP, DEAR), spot=True, pause=HOUR, longest=4 * HOUR, deadline=48 * HOUR)
LIMITS = Limits(run_s=3600, wait_s=7200, volume_gb=30)
PLACE = Place("s3://b/data/d", "s3://b/recipes/r", "s3://b/out", "s3://b/checkpoints")


def after(events: Sequence[Event], job: Job | None = None) -> Job:
    job = job or want(LESSON, NOON)
    for event in events:
        job = happen(job, event, name=job.name, fleet=FLEET, now=NOON)
    return job


def test_the_same_lesson_has_the_same_name_and_another_recipe_another():
    assert job_name(LESSON, 1) == job_name(replace(LESSON), 1)
    assert job_name(LESSON, 1) != job_name(replace(LESSON, recipe="[recipe]\nseed = 2\n"), 1)


def test_a_name_is_one_that_the_trainer_allows():
    name = job_name(replace(LESSON, model="a" * 63), 12)

    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name)


def test_a_request_says_all_and_all_attempts_share_their_checkpoints():
    one, two = (
        request(LESSON, attempt=n, place=PLACE, machine=CHEAP, spot=True, limits=LIMITS) for n in (1, 2)
    )

    assert one.checkpoints == two.checkpoints
    assert one.name != two.name
    assert set(one.channels) == {"train", "validation", "test", "recipe"}
    assert one.hyperparameters["task"] == "classifier"


def test_a_job_runs_and_is_done():
    assert after([Accepted(), Completed()]).state == "done"


def test_a_completion_whose_start_was_never_heard_of_counts():
    assert after([Completed()]).state == "done"


def test_what_is_told_after_the_end_changes_nothing():
    done = after([Accepted(), Completed()])

    assert after([Failed("late"), Stopped("late"), Accepted(), Refused("quota")], done) == done


def test_what_is_told_of_an_earlier_attempt_changes_nothing():
    second = after([Accepted(), Starved("capacity")])

    assert happen(second, Failed("late"), name=job_name(LESSON, 1), fleet=FLEET, now=NOON) == second


def test_a_refusal_tries_the_next_machine_under_the_same_name():
    job = after([Refused("capacity")])

    assert (job.state, job.machine, job.attempt) == ("wanted", 1, 1)


def test_a_job_that_was_made_and_starved_spends_its_name():
    job = after([Accepted(), Starved("capacity")])

    assert (job.state, job.machine, job.attempt) == ("wanted", 1, 2)


def test_when_all_machines_refuse_the_job_waits_and_begins_again():
    waiting = after([Refused("capacity"), Refused("quota")])

    assert (waiting.state, waiting.due, waiting.text) == ("waiting", NOON + HOUR, "no quota")
    assert wake(waiting, NOON).state == "waiting"
    assert (wake(waiting, NOON + HOUR).state, wake(waiting, NOON + HOUR).machine) == ("wanted", 0)


def test_refused_three_times_it_still_runs_and_there_is_one_job():
    job = after([Refused("capacity"), Refused("capacity")])
    job = after([Refused("capacity"), Accepted(), Accepted(), Completed()], wake(job, NOON + HOUR))

    assert (job.state, job.attempt, job.machine) == ("done", 1, 1)


def test_waits_grow_to_a_limit_and_end_at_the_deadline():
    job, now, pauses = want(LESSON, NOON), NOON, []
    while job.state != "failed":
        for _ in FLEET.machines:
            job = happen(job, Refused("capacity"), name=job.name, fleet=FLEET, now=now)
        if job.due is not None:
            pauses.append(job.due - now)
            now = job.due
            job = wake(job, now)

    assert pauses[:4] == [HOUR, 2 * HOUR, 4 * HOUR, 4 * HOUR]
    assert now - NOON >= FLEET.deadline
    assert "no capacity" in job.text


def test_an_estimate_expects_spot_and_fears_on_demand():
    found = estimate(DEAR, spot=True, expected_s=1800, limits=LIMITS)

    assert (found.expected_usd, found.most_usd) == pytest.approx((0.5 * 0.16 * 2, 0.46 * 2))


def test_a_bill_is_for_the_billed_seconds():
    found = bill(CHEAP, training_s=3600, billable_s=900)

    assert (found.usd, found.saved_usd) == pytest.approx((0.23 / 4, 0.23 * 3 / 4))


def test_the_machines_that_come_with_us_can_be_read():
    assert [machine.count for machine in default_machines()] == [1, 1, 1]


def test_metric_expressions_find_their_figures_in_a_progress_line():
    line = "epoch=3 train_loss=1.5e-2 validation_loss=0.2 validation_score=0.97 "
    line += "steps_per_s=12.5 peak_memory_mb=210"

    found = {name: float(match[1]) for name, e in METRICS.items() if (match := re.search(e, line))}

    assert found == {
        "train:loss": 0.015,
        "validation:loss": 0.2,
        "validation:score": 0.97,
        "train:steps_per_s": 12.5,
        "train:peak_memory_mb": 210,
    }
