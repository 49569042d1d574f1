"""A lesson reaches its end whatever is refused, lost or told twice; and never as two jobs."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.memory import NOON
from vigil.flow.retrain import look, push
from vigil.learn.cost import default_machines
from vigil.learn.dispatch import (
    Accepted,
    Completed,
    Event,
    Failed,
    Fleet,
    Job,
    Lost,
    Refused,
    again,
    happen,
    want,
)
from vigil.learn.training import Lesson, Limits, Place, Request

FLEET = Fleet(default_machines(), True, timedelta(minutes=5), timedelta(hours=2), timedelta(days=2))
PLACE = Place("s3://b/data", "s3://b/recipe/", "s3://b/jobs", "s3://b/checkpoints")
LIMITS = Limits(3600, 3600, 30)
LESSON = Lesson("classifier", "digits", "d1", "[fit]", None, "image")


@dataclass
class Yard:
    """Port Trainer: refuses so often, then takes jobs; `ends` is how they ended."""

    refusals: int = 0
    asked: list[Request] = field(default_factory=list)
    ends: dict[str, Event] = field(default_factory=dict)

    def ask(self, request: Request) -> Accepted | Refused:
        self.asked.append(request)
        if self.refusals:
            self.refusals -= 1
            return Refused("capacity")
        return Accepted()

    def look(self, name: str) -> Event | None:
        return self.ends.get(name)


def pushed(job: Job, yard: Yard, at: datetime) -> Job:
    return push(job, yard, place=PLACE, fleet=FLEET, limits=LIMITS, now=at)


def test_three_refusals_wait_and_are_followed_by_the_same_job():
    yard = Yard(refusals=3)

    waiting = pushed(want(LESSON, NOON), yard, NOON)
    still = pushed(waiting, yard, NOON + timedelta(minutes=4))
    running = pushed(still, yard, NOON + timedelta(minutes=5))

    assert (waiting.state, still.state, running.state) == ("waiting", "waiting", "running")
    assert [one.machine for one in yard.asked] == [*FLEET.machines, FLEET.machines[0]]
    assert len({one.name for one in yard.asked}) == 1


def test_a_lost_event_is_found_out_by_looking():
    yard = Yard()
    job = pushed(want(LESSON, NOON), yard, NOON)
    yard.ends[job.name] = Completed()

    assert look(job, yard, fleet=FLEET, now=NOON).state == "done"


def test_a_job_that_failed_is_asked_for_again_under_the_next_name():
    yard = Yard()
    job = pushed(want(LESSON, NOON), yard, NOON)
    yard.ends[job.name] = Failed("out of memory")
    failed = look(job, yard, fleet=FLEET, now=NOON)

    second = pushed(again(failed, NOON), yard, NOON)

    assert (failed.state, second.state) == ("failed", "running")
    assert [one.name for one in yard.asked] == [f"vigil-digits-{LESSON.id}-{n}" for n in (1, 2)]


def lost(job: Job, yard: Yard) -> Job:
    """What a tick makes of a job whose process was killed: it is looked at, and pushed."""
    yard.ends[job.name] = Lost("exit code: 137")
    return pushed(look(job, yard, fleet=FLEET, now=NOON), yard, NOON)


def test_a_job_that_was_killed_goes_on_under_the_next_name_from_the_same_checkpoints():
    yard = Yard()

    second = lost(pushed(want(LESSON, NOON), yard, NOON), yard)

    assert (second.state, second.attempt) == ("running", 2)
    assert len({one.name for one in yard.asked}) == 2
    assert len({one.checkpoints for one in yard.asked}) == 1


def test_a_lesson_that_kills_its_process_again_and_again_is_given_up():
    yard = Yard()
    job = pushed(want(LESSON, NOON), yard, NOON)

    while job.state == "running":
        job = lost(job, yard)

    assert (job.state, job.text) == ("failed", "lost 3 times: exit code: 137")
    assert len(yard.asked) == 3


def test_a_loss_told_twice_is_one_loss():
    yard = Yard()
    job = pushed(want(LESSON, NOON), yard, NOON)

    again = happen(lost(job, yard), Lost("exit code: 137"), name=job.name, fleet=FLEET, now=NOON)

    assert (again.state, again.losses) == ("running", 1)


def test_the_same_lesson_asked_for_twice_is_one_name():
    yard = Yard()
    for _ in range(2):
        pushed(want(LESSON, NOON), yard, NOON)

    assert len({one.name for one in yard.asked}) == 1
