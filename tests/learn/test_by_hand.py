"""What a person decides about a release moves it as the gates would, and says who and why."""

from dataclasses import replace

import pytest

from tests.memory import NOON
from vigil.learn.by_hand import put_forward, turned_down
from vigil.learn.interval import Interval
from vigil.learn.release import IllegalMove, Pointers, Stage, register
from vigil.learn.stages import Book, Standing

WHY = "by ann: enough"
FIGURE = Interval(0.9, 0.8, 1.0, 100)


def standing(release: str, stage: Stage) -> Standing:
    return Standing(replace(register("digits", release, NOON), stage=stage), FIGURE)


def book(candidate: Stage) -> Book:
    """An active release, a candidate, and one that waits."""
    pointers = Pointers("a", "b", share=0.2, beside=0.2)
    standings = (standing("a", "active"), standing("b", candidate), standing("c", "registered"))
    return Book("digits", pointers, 1, standings)


@pytest.mark.parametrize("stage", ["shadow", "canary"])
def test_a_candidate_that_is_put_forward_answers_at_once(stage: Stage):
    change = put_forward(book(stage), "b", now=NOON, why=WHY)

    assert {life.id: life.stage for life in change.lives} == {"b": "active", "a": "retired"}
    assert change.pointers == Pointers("b", former="a")
    assert {reason for life in change.lives for move in life.history for reason in move.reasons} == {WHY}


def test_where_only_a_bundled_release_answered_there_is_no_life_to_retire():
    first = replace(book("canary"), standings=(standing("b", "canary"),))

    change = put_forward(first, "b", now=NOON, why=WHY)

    assert [life.id for life in change.lives] == ["b"]


@pytest.mark.parametrize(("stage", "ends"), [("shadow", "rejected"), ("canary", "rolled-back")])
def test_a_candidate_that_is_turned_down_leaves_the_active_release_alone(stage: Stage, ends: str):
    change = turned_down(book(stage), "b", now=NOON, why=WHY)

    assert [(life.id, life.stage) for life in change.lives] == [("b", ends)]
    assert change.pointers == Pointers("a")


def test_one_that_waits_can_be_turned_down_and_the_candidate_stays():
    change = turned_down(book("shadow"), "c", now=NOON, why=WHY)

    assert [(life.id, life.stage) for life in change.lives] == [("c", "rejected")]
    assert change.pointers == book("shadow").pointers


@pytest.mark.parametrize("release", ["a", "c", "unheard-of"])
def test_only_what_is_being_tried_can_be_put_forward(release: str):
    with pytest.raises(IllegalMove):
        put_forward(book("canary"), release, now=NOON, why=WHY)


@pytest.mark.parametrize("release", ["a", "unheard-of"])
def test_the_active_release_cannot_be_turned_down(release: str):
    with pytest.raises(IllegalMove):
        turned_down(book("canary"), release, now=NOON, why=WHY)
