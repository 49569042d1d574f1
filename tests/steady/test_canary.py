"""When the canary sang the right song in time, and when it did not."""

from datetime import timedelta

import pytest

from tests.memory import NOON
from vigil.steady.canary import Answer, Flight, Known, Sung, sung

FLIGHT = Flight("d1", NOON)
FACE = (345.0, 95.0, 568.0, 432.0)
KNOWN = Known((FACE,))


def answer(state: str = "done", after_s: float = 2, boxes_px=(FACE,), alerts: int = 0) -> Answer:
    return Answer(state, NOON + timedelta(seconds=after_s), boxes_px, alerts)


def test_the_right_answer_in_time_has_nothing_wrong():
    assert sung(FLIGHT, answer(boxes_px=((350.0, 100.0, 560.0, 430.0),)), KNOWN) == Sung("", 2000.0)


@pytest.mark.parametrize(
    ("heard", "wrong"),
    [
        (None, "no answer"),
        (answer("rejected"), "it was rejected"),
        (answer("claimed"), "it was claimed"),
        (answer(alerts=1), "it raised an alert"),
        (answer(boxes_px=()), "0 sightings, not where they should be"),
        (answer(boxes_px=(FACE, FACE)), "2 sightings, not where they should be"),
        (answer(boxes_px=((0.0, 0.0, 100.0, 100.0),)), "1 sightings, not where they should be"),
        (answer(after_s=61), "late"),
    ],
)
def test_anything_else_is_named(heard: Answer | None, wrong: str):
    assert sung(FLIGHT, heard, KNOWN).wrong == wrong
