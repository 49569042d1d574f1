"""What a release has shown decides its next step; harm does not wait, and nobody is promoted untried."""

from dataclasses import replace
from datetime import timedelta

from tests.fakes.memory import NOON
from vigil.releases.gates import default_gates
from vigil.releases.health import ExpectedHealth, HealthCounts
from vigil.releases.lifecycle import ReleasePointers, ReleaseState, registered_state
from vigil.releases.rollout import (
    ModelReleases,
    ReleaseRecord,
    RolloutChange,
    decide_step,
)
from vigil.releases.shadow import ShadowComparison
from vigil.statistics import Interval

GATES = default_gates()
GOOD, BAD = Interval(0.97, 0.95, 0.99, 300), Interval(0.1, 0.07, 0.13, 300)
BETTER, WORSE = Interval(0.02, 0.005, 0.03, 300), Interval(-0.8, -0.85, -0.75, 300)
NEXT = ReleaseRecord(registered_state("digits", "b", NOON), GOOD, BETTER)
EXPECTED = ExpectedHealth(5.0, 0.0)
LATER = NOON + timedelta(minutes=5)


def comparisons(count: int, release: str = "b", *, failed: int = 0) -> list[ShadowComparison]:
    return [
        ShadowComparison("digits", release, f"d{n}", n >= failed, n < failed, False, 5.0, 5.0)
        for n in range(count)
    ]


def releases(pointers: ReleasePointers, *standings: ReleaseRecord) -> ModelReleases:
    return ModelReleases("digits", pointers, 1, standings)


def at(stage: str, record: ReleaseRecord = NEXT) -> ReleaseRecord:
    return replace(record, state=replace(record.state, stage=stage))  # type: ignore[arg-type]


def stages_after(change: RolloutChange | None) -> dict[str, str]:
    assert change is not None
    return {life.release: life.stage for life in change.states}


def test_a_registered_release_goes_into_shadow():
    change = decide_step(releases(ReleasePointers("a"), NEXT), (), GATES, LATER)

    assert stages_after(change) == {"b": "shadow"}
    assert change is not None
    assert change.pointers == ReleasePointers("a", "b", shadow_share=GATES["shadow"].share)


def test_it_waits_until_there_is_enough_evidence():
    tried = releases(ReleasePointers("a", "b", shadow_share=0.5), at("shadow"))

    assert decide_step(tried, comparisons(199), GATES, LATER) is None


def test_shadow_passed_leads_to_canary_and_canary_passed_to_promotion():
    old = ReleaseRecord(replace(registered_state("digits", "a", NOON), stage="active"), GOOD)
    shadow = decide_step(
        releases(ReleasePointers("a", "b", shadow_share=0.5), old, at("shadow")),
        comparisons(200),
        GATES,
        LATER,
    )
    canary = decide_step(
        releases(ReleasePointers("a", "b", canary_share=0.2), old, at("canary")),
        comparisons(200),
        GATES,
        LATER,
    )

    assert stages_after(shadow) == {"b": "canary"}
    assert stages_after(canary) == {"b": "active", "a": "retired"}
    assert canary is not None
    assert canary.pointers == ReleasePointers("b", previous="a", expected=EXPECTED)


def test_a_poisoned_release_is_rejected_at_the_first_evaluation():
    poisoned = ReleaseRecord(NEXT.state, BAD, WORSE)

    change = decide_step(releases(ReleasePointers("a", "b"), at("shadow", poisoned)), (), GATES, LATER)

    assert stages_after(change) == {"b": "rejected"}
    assert change is not None
    assert change.pointers == ReleasePointers("a")


def test_a_canary_that_breaks_is_rolled_back_after_three_drops():
    change = decide_step(
        releases(ReleasePointers("a", "b", canary_share=0.2), at("canary")),
        comparisons(3, failed=3),
        GATES,
        LATER,
    )

    assert stages_after(change) == {"b": "rolled-back"}


def test_a_canary_that_fails_a_gate_is_rolled_back_for_it():
    poisoned = at("canary", ReleaseRecord(NEXT.state, BAD, WORSE))

    change = decide_step(
        releases(ReleasePointers("a", "b", canary_share=0.2), poisoned), comparisons(2), GATES, LATER
    )

    assert stages_after(change) == {"b": "rolled-back"}
    assert change is not None
    assert change.pointers == ReleasePointers("a")


def test_only_a_canary_is_rolled_back_by_its_first_failures():
    reasons = []
    for stage in ("shadow", "canary"):
        tried = releases(ReleasePointers("a", "b", shadow_share=0.5), at(stage))
        change = decide_step(tried, comparisons(3, failed=3), GATES, LATER)
        assert change is not None
        reasons.append(change.states[0].history[-1].reasons)

    shadow, canary = reasons
    assert canary == ("failed on 3 of 3 drops that the active release completed",)
    assert shadow[0].startswith("error rate 1.000")


def test_an_active_release_that_fails_is_replaced_by_the_previous_one():
    former = ReleaseRecord(ReleaseState("digits", "a", "retired", NOON), GOOD)
    now = ReleasePointers("b", previous="a")

    change = decide_step(
        releases(now, former, at("active")), (), GATES, LATER, health=HealthCounts(failed_drops=3)
    )

    assert stages_after(change) == {"b": "rolled-back", "a": "active"}
    assert change is not None
    assert change.pointers == ReleasePointers("a")


def test_a_bad_active_release_is_rolled_back_before_its_candidate_has_any_evidence():
    rival = ReleaseRecord(replace(registered_state("digits", "c", NOON), stage="shadow"), GOOD, BETTER)
    now = ReleasePointers("b", "c", previous="a", shadow_share=0.5)

    change = decide_step(
        releases(now, at("active"), rival), (), GATES, LATER, health=HealthCounts(failed_drops=3)
    )

    assert stages_after(change) == {"b": "rolled-back", "c": "rejected"}


def test_a_release_without_a_previous_one_stays_active():
    now = ReleasePointers("b")

    assert (
        decide_step(releases(now, at("active")), (), GATES, LATER, health=HealthCounts(failed_drops=3))
        is None
    )


def test_the_first_release_of_a_model_needs_no_comparison():
    change = decide_step(releases(ReleasePointers(), replace(NEXT, gain=None)), (), GATES, LATER)

    assert stages_after(change) == {"b": "active"}


def test_a_second_release_waits_for_the_first():
    other = ReleaseRecord(registered_state("digits", "c", NOON), GOOD, BETTER)

    assert (
        decide_step(
            releases(ReleasePointers("a", "b", shadow_share=0.5), at("shadow"), other), (), GATES, LATER
        )
        is None
    )
