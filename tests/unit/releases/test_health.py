"""An active release goes back for what it surely shows now: not for chance, nor for what the world does."""

from datetime import timedelta

import pytest

from vigil.releases.health import (
    MIN_SAMPLES,
    ExpectedHealth,
    HealthCounts,
    HealthSample,
    is_slow,
    latest,
    unrecognised_increase,
)
from vigil.releases.rollout import rollback_reason

CANARY = ExpectedHealth(latency_ms=20.0, unrecognised_share=0.1)
SOON = timedelta(minutes=5)


def reason(health: HealthCounts, expected: ExpectedHealth | None = CANARY, active: timedelta = SOON) -> str:
    return rollback_reason(health, expected, active_for=active)


def sample(latency_ms: float = 5.0, *, nothing_recognised: bool = False) -> HealthSample:
    return HealthSample("digits", "b", latency_ms, failed=False, nothing_recognised=nothing_recognised)


def test_three_failed_drops_of_few_cause_a_rollback():
    assert reason(HealthCounts(samples=50, failed_drops=3)) == "failed on 3 drops"
    assert reason(HealthCounts(samples=50, failed_drops=2)) == ""


def test_three_failed_drops_of_many_thousand_cause_no_rollback():
    assert reason(HealthCounts(samples=5000, failed_drops=3)) == ""


def test_failures_cause_a_rollback_at_any_age():
    assert reason(HealthCounts(failed_drops=3), None, timedelta(days=90))


def test_mostly_slow_causes_a_rollback_and_sometimes_slow_does_not():
    assert reason(HealthCounts(samples=40, slow=35)) == "slow on 35 of 40 drops; 20 ms in canary"
    assert reason(HealthCounts(samples=40, slow=12)) == ""


def test_recognising_much_less_than_in_canary_causes_a_rollback():
    assert (
        reason(HealthCounts(samples=40, unrecognised=30))
        == "recognised nothing in 75% of 40 drops, in canary 10%"
    )
    assert reason(HealthCounts(samples=40, unrecognised=8)) == ""


@pytest.mark.parametrize(
    "health", [HealthCounts(samples=19, slow=19), HealthCounts(samples=19, unrecognised=19)]
)
def test_a_few_samples_prove_nothing(health: HealthCounts):
    assert reason(health) == ""


def test_after_the_probation_period_changes_cause_no_rollback():
    assert reason(HealthCounts(samples=40, unrecognised=40), active=timedelta(days=2)) == ""


def test_only_the_latest_samples_count():
    bad, good = HealthCounts(samples=MIN_SAMPLES, slow=MIN_SAMPLES), HealthCounts(samples=900)

    assert latest([bad, good]) == bad
    assert latest([HealthCounts(samples=1), good, bad]) == HealthCounts(samples=901)
    assert latest([]) == HealthCounts()


def test_slow_is_three_times_the_canary_latency_above_a_minimum():
    assert is_slow(sample(61.0), CANARY)
    assert not is_slow(sample(59.0), CANARY)
    assert not is_slow(sample(9.0), ExpectedHealth(latency_ms=1.0, unrecognised_share=0.0))
    assert not is_slow(sample(9000.0), None)


def test_the_increase_is_zero_on_average_while_nothing_changes():
    looks = [sample(nothing_recognised=n == 0) for n in range(10)]

    assert sum(unrecognised_increase(look, CANARY) for look in looks) == pytest.approx(0.0)
