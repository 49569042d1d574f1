"""The balance controller over simulated hours: on time, stable, and nothing left undone."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.simulation.simulation import (
    BOUNDS,
    SERVICE_S,
    SimulatedHour,
    fixed_shares,
    simulate_hour,
)
from tests.simulation.traffic import SCENARIOS, Scenario

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
WITHIN_CAPACITY = [scenario for scenario in SCENARIOS if scenario.name != "overload"]
SETTLING_S = 240
SEEDS = range(1, 21)

every_seed = pytest.mark.parametrize("seed", SEEDS)
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


@cache
def hour(scenario: Scenario, seed: int) -> SimulatedHour:
    return simulate_hour(scenario, seed=seed)


@every_seed
@pytest.mark.parametrize("scenario", WITHIN_CAPACITY, ids=lambda scenario: scenario.name)
def test_live_is_on_time_again_four_minutes_after_any_disturbance(scenario: Scenario, seed: int):
    assert hour(scenario, seed).age_p99_s(scenario.onset_s + SETTLING_S) <= BOUNDS.age_target_s


@every_seed
@every_scenario
def test_shares_do_not_swing(scenario: Scenario, seed: int):
    """Up and down once is a disturbance; more than a turn in ten minutes is the controller's own doing."""
    assert hour(scenario, seed).direction_changes() <= 6
    assert hour(scenario, seed).share_changes() <= 30


@every_seed
@pytest.mark.parametrize("name", ["steady", "backfill of 100,000"])
def test_nothing_moves_while_live_is_as_ever(name: str, seed: int):
    assert hour(BY_NAME[name], seed).share_changes() == 0


@every_seed
def test_the_first_minutes_of_a_spike_wait_for_one_look_and_the_workers_that_it_asks_for(seed: int):
    assert hour(BY_NAME["spike × 20"], seed).age_p99_s(0) <= 60


@every_seed
@every_scenario
def test_every_back_fill_is_through_within_the_hour(scenario: Scenario, seed: int):
    assert hour(scenario, seed).backfill_done_at_s() < 3600


@every_seed
def test_a_back_fill_runs_at_nearly_the_rate_of_all_workers_that_live_leaves(seed: int):
    scenario = BY_NAME["backfill of 100,000"]
    took_s = hour(scenario, seed).backfill_done_at_s() - scenario.backfill_at_s

    assert scenario.backfill * SERVICE_S / (BOUNDS.total - BOUNDS.live_min) / took_s >= 0.95


@every_seed
def test_in_a_spike_bulk_gets_back_what_live_took_within_ten_minutes_of_its_end(seed: int):
    bulk = hour(BY_NAME["spike × 20"], seed).bulk_workers

    assert bulk[16 * 60 + 600] >= 0.85 * (BOUNDS.total - BOUNDS.live_min)


@every_seed
def test_what_workers_alone_can_mend_costs_no_quality(seed: int):
    assert all(hour(scenario, seed).degradation_level.max() == 0 for scenario in WITHIN_CAPACITY)


@every_seed
@pytest.mark.parametrize("least", [10, 20])
def test_the_first_minute_of_a_spike_is_as_late_as_arithmetic_says(least: int, seed: int):
    """Of 60 s, what the workers that live always has leave undone of a crowd of 100 a second."""
    spike = simulate_hour(BY_NAME["spike × 20"], seed=seed, bounds=replace(BOUNDS, live_min=least))

    assert spike.age_p99_s(0) == pytest.approx(60 * (1 - least / (100 * SERVICE_S)), abs=4)


@every_seed
def test_more_than_all_workers_can_do_is_met_by_degradation_and_undone(seed: int):
    overloaded = hour(BY_NAME["overload"], seed)

    assert overloaded.degradation_level.max() >= 2
    assert overloaded.age_s[20 * 60] <= BOUNDS.age_target_s
    assert overloaded.degradation_level[-1] == 0


@every_seed
@every_scenario
def test_shares_never_leave_their_bounds(scenario: Scenario, seed: int):
    simulated = hour(scenario, seed)

    assert simulated.live_workers.min() >= BOUNDS.live_min
    assert simulated.bulk_workers.min() >= BOUNDS.bulk_min
    assert (simulated.live_workers + simulated.bulk_workers).max() <= BOUNDS.total


def test_the_same_seed_is_the_same_hour():
    scenario = BY_NAME["spike × 20"]

    np.testing.assert_array_equal(
        simulate_hour(scenario, seed=3).age_s, simulate_hour(scenario, seed=3).age_s
    )


def test_fixed_shares_would_be_late_for_most_of_the_hour():
    scenario = BY_NAME["spike × 20"]

    assert simulate_hour(scenario, fixed_shares).age_p99_s(0) > 10 * hour(scenario, 7).age_p99_s(0)
