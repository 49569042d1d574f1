"""When the canary sang the right song in time, and when it did not."""

from datetime import timedelta

import pytest

from tests.fakes.memory import NOON
from vigil.reliability.canary import (
    CanaryCheck,
    CanaryOutcome,
    CanaryRun,
    ExpectedDetections,
    check_canary,
)

FLIGHT = CanaryRun("d1", NOON)
FACE = (345.0, 95.0, 568.0, 432.0)
KNOWN = ExpectedDetections((FACE,))


def answer(state: str = "done", after_s: float = 2, boxes_px=(FACE,), alerts: int = 0) -> CanaryOutcome:
    return CanaryOutcome(state, NOON + timedelta(seconds=after_s), boxes_px, alerts)


def test_a_correct_result_in_time_has_no_problem():
    assert check_canary(FLIGHT, answer(boxes_px=((350.0, 100.0, 560.0, 430.0),)), KNOWN) == CanaryCheck(
        "", 2000.0
    )


@pytest.mark.parametrize(
    ("outcome", "problem"),
    [
        (None, "no result"),
        (answer("rejected"), "its drop is rejected"),
        (answer("claimed"), "its drop is claimed"),
        (answer(alerts=1), "it raised an alert"),
        (answer(boxes_px=()), "0 sightings, not at the expected positions"),
        (answer(boxes_px=(FACE, FACE)), "2 sightings, not at the expected positions"),
        (answer(boxes_px=((0.0, 0.0, 100.0, 100.0),)), "1 sightings, not at the expected positions"),
        (answer(after_s=61), "late"),
    ],
)
def test_every_other_outcome_is_named_as_the_problem(outcome: CanaryOutcome | None, problem: str):
    assert check_canary(FLIGHT, outcome, KNOWN).problem == problem
