"""What a person decides about a release moves it as the gates would, and says who and why."""

from dataclasses import replace

import pytest

from tests.fakes.memory import NOON
from vigil.releases.lifecycle import (
    IllegalTransition,
    ReleasePointers,
    ReleaseStage,
    registered_state,
)
from vigil.releases.rollout import ModelReleases, ReleaseRecord, force_promote, force_reject
from vigil.statistics import Interval

REASON = "by ann: enough"
FIGURE = Interval(0.9, 0.8, 1.0, 100)


def record(release: str, stage: ReleaseStage) -> ReleaseRecord:
    return ReleaseRecord(replace(registered_state("digits", release, NOON), stage=stage), FIGURE)


def releases(candidate: ReleaseStage) -> ModelReleases:
    """An active release, a candidate, and one that waits."""
    pointers = ReleasePointers("a", "b", canary_share=0.2, shadow_share=0.2)
    standings = (record("a", "active"), record("b", candidate), record("c", "registered"))
    return ModelReleases("digits", pointers, 1, standings)


@pytest.mark.parametrize("stage", ["shadow", "canary"])
def test_a_force_promoted_candidate_serves_at_once(stage: ReleaseStage):
    change = force_promote(releases(stage), "b", now=NOON, reason=REASON)

    assert {life.release: life.stage for life in change.states} == {"b": "active", "a": "retired"}
    assert change.pointers == ReleasePointers("b", previous="a")
    assert {reason for life in change.states for move in life.history for reason in move.reasons} == {REASON}


def test_when_only_a_bundled_release_served_there_is_no_state_to_retire():
    first = replace(releases("canary"), records=(record("b", "canary"),))

    change = force_promote(first, "b", now=NOON, reason=REASON)

    assert [life.release for life in change.states] == ["b"]


@pytest.mark.parametrize(("stage", "ends"), [("shadow", "rejected"), ("canary", "rolled-back")])
def test_a_force_rejected_candidate_does_not_affect_the_active_release(stage: ReleaseStage, ends: str):
    change = force_reject(releases(stage), "b", now=NOON, reason=REASON)

    assert [(life.release, life.stage) for life in change.states] == [("b", ends)]
    assert change.pointers == ReleasePointers("a")


def test_a_registered_release_can_be_rejected_and_the_candidate_stays():
    change = force_reject(releases("shadow"), "c", now=NOON, reason=REASON)

    assert [(life.release, life.stage) for life in change.states] == [("c", "rejected")]
    assert change.pointers == releases("shadow").pointers


@pytest.mark.parametrize("release", ["a", "c", "unheard-of"])
def test_only_the_candidate_can_be_force_promoted(release: str):
    with pytest.raises(IllegalTransition):
        force_promote(releases("canary"), release, now=NOON, reason=REASON)


@pytest.mark.parametrize("release", ["a", "unheard-of"])
def test_the_active_release_cannot_be_force_rejected(release: str):
    with pytest.raises(IllegalTransition):
        force_reject(releases("canary"), release, now=NOON, reason=REASON)
