"""The balance controller over simulated hours: on time, stable, and nothing left undone."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from infra.simulate.hour import BOUNDS, SERVICE_S, Hour, fixed, run
from infra.simulate.traffic import SCENARIOS, Scenario

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
WITHIN_CAPACITY = [scenario for scenario in SCENARIOS if scenario.name != "more than all can do"]
SETTLING_S = 240
SEEDS = range(1, 21)

every_seed = pytest.mark.parametrize("seed", SEEDS)
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


@cache
def hour(scenario: Scenario, seed: int) -> Hour:
    return run(scenario, seed=seed)


@every_seed
@pytest.mark.parametrize("scenario", WITHIN_CAPACITY, ids=lambda scenario: scenario.name)
def test_live_is_on_time_again_four_minutes_after_any_disturbance(scenario: Scenario, seed: int):
    assert hour(scenario, seed).age_p99_s(scenario.onset_s + SETTLING_S) <= BOUNDS.age_target_s


@every_seed
@every_scenario
def test_shares_do_not_swing(scenario: Scenario, seed: int):
    """Up and down once is a disturbance; more than a turn in ten minutes is the controller's own doing."""
    assert hour(scenario, seed).turns() <= 6
    assert hour(scenario, seed).moves() <= 30


@every_seed
@pytest.mark.parametrize("name", ["steady", "back-fill of 100,000"])
def test_nothing_moves_while_live_is_as_ever(name: str, seed: int):
    assert hour(BY_NAME[name], seed).moves() == 0


@every_seed
def test_the_first_minutes_of_a_spike_wait_for_one_look_and_the_workers_that_it_asks_for(seed: int):
    assert hour(BY_NAME["spike × 20"], seed).age_p99_s(0) <= 60


@every_seed
@every_scenario
def test_every_back_fill_is_through_within_the_hour(scenario: Scenario, seed: int):
    assert hour(scenario, seed).bulk_done_at_s() < 3600


@every_seed
def test_a_back_fill_runs_at_nearly_the_rate_of_all_workers_that_live_leaves(seed: int):
    scenario = BY_NAME["back-fill of 100,000"]
    took_s = hour(scenario, seed).bulk_done_at_s() - scenario.backfill_at_s

    assert scenario.backfill * SERVICE_S / (BOUNDS.total - BOUNDS.live_least) / took_s >= 0.95


@every_seed
def test_in_a_spike_bulk_gets_back_what_live_took_within_ten_minutes_of_its_end(seed: int):
    bulk = hour(BY_NAME["spike × 20"], seed).bulk

    assert bulk[16 * 60 + 600] >= 0.85 * (BOUNDS.total - BOUNDS.live_least)


@every_seed
def test_what_workers_alone_can_mend_costs_no_quality(seed: int):
    assert all(hour(scenario, seed).level.max() == 0 for scenario in WITHIN_CAPACITY)


@every_seed
@pytest.mark.parametrize("least", [10, 20])
def test_the_first_minute_of_a_spike_is_as_late_as_arithmetic_says(least: int, seed: int):
    """Of 60 s, what the workers that live always has leave undone of a crowd of 100 a second."""
    spike = run(BY_NAME["spike × 20"], seed=seed, bounds=replace(BOUNDS, live_least=least))

    assert spike.age_p99_s(0) == pytest.approx(60 * (1 - least / (100 * SERVICE_S)), abs=4)


@every_seed
def test_more_than_all_workers_can_do_is_met_by_degradation_and_undone(seed: int):
    overloaded = hour(BY_NAME["more than all can do"], seed)

    assert overloaded.level.max() >= 2
    assert overloaded.age_s[20 * 60] <= BOUNDS.age_target_s
    assert overloaded.level[-1] == 0


@every_seed
@every_scenario
def test_shares_never_leave_their_bounds(scenario: Scenario, seed: int):
    simulated = hour(scenario, seed)

    assert simulated.live.min() >= BOUNDS.live_least
    assert simulated.bulk.min() >= BOUNDS.bulk_least
    assert (simulated.live + simulated.bulk).max() <= BOUNDS.total


def test_the_same_seed_is_the_same_hour():
    scenario = BY_NAME["spike × 20"]

    np.testing.assert_array_equal(run(scenario, seed=3).age_s, run(scenario, seed=3).age_s)


def test_fixed_shares_would_be_late_for_most_of_the_hour():
    scenario = BY_NAME["spike × 20"]

    assert run(scenario, fixed).age_p99_s(0) > 10 * hour(scenario, 7).age_p99_s(0)
