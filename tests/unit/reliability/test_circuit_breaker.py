"""A lane stops when a dependency fails, and starts again by itself."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.memory import NOON
from vigil.reliability.circuit_breaker import (
    BreakerPolicy,
    CallCounts,
    CircuitBreaker,
    closed_breaker,
    combined_state,
    next_breaker,
)

FUSE = BreakerPolicy()
SECOND = timedelta(seconds=1)
BAD = CircuitBreaker("open", NOON, 1)


def tally(after_s: float, calls: int, failures: int) -> CallCounts:
    return CallCounts(NOON + after_s * SECOND, calls, failures, {0: (calls, failures)})


def at(after_s: float) -> datetime:
    return NOON + after_s * SECOND


def test_it_opens_when_half_of_enough_calls_fail():
    assert next_breaker(closed_breaker(NOON), [tally(1, 20, 10)], FUSE, now=at(2)) == CircuitBreaker(
        "open", at(2), 1
    )


@pytest.mark.parametrize("calm", [tally(1, 19, 19), tally(1, 100, 49)])
def test_few_calls_or_few_failures_leave_it_closed(calm: CallCounts):
    assert next_breaker(closed_breaker(NOON), [calm], FUSE, now=at(2)) == closed_breaker(NOON)


def test_retries_of_few_inputs_leave_it_closed():
    retried = CallCounts(at(1), 1000, 1000, {0: (6, 6)})

    assert next_breaker(closed_breaker(NOON), [retried], FUSE, now=at(2)) == closed_breaker(NOON)


def test_each_group_of_sources_has_the_same_weight():
    garbage_of_one = CallCounts(at(1), 1020, 1000, {0: (1000, 1000), 1: (10, 0), 2: (10, 0)})
    outage = CallCounts(at(1), 1020, 1015, {0: (1000, 1000), 1: (10, 8), 2: (10, 7)})

    assert next_breaker(closed_breaker(NOON), [garbage_of_one], FUSE, now=at(2)) == closed_breaker(NOON)
    assert next_breaker(closed_breaker(NOON), [outage], FUSE, now=at(2)).state == "open"


def test_it_opens_only_if_the_inputs_of_enough_groups_of_sources_fail():
    policy = replace(FUSE, min_groups=3)
    two = CallCounts(at(1), 200, 200, {0: (100, 100), 1: (100, 100)})
    three = CallCounts(at(1), 201, 201, {0: (100, 100), 1: (100, 100), 2: (1, 1)})

    assert next_breaker(closed_breaker(NOON), [two], policy, now=at(2)) == closed_breaker(NOON)
    assert next_breaker(closed_breaker(NOON), [three], policy, now=at(2)).state == "open"


def test_redriven_inputs_of_one_source_do_not_open_it_again():
    policy, probing = replace(FUSE, min_groups=3), CircuitBreaker("half-open", at(60), 1)
    redriven = CallCounts(at(61), 8, 8, {0: (1, 1)})

    assert next_breaker(probing, [redriven], policy, now=at(70)) == closed_breaker(at(70))


def test_calls_outside_the_window_do_not_count():
    assert next_breaker(closed_breaker(NOON), [tally(0, 100, 100)], FUSE, now=at(121)) == closed_breaker(NOON)


def test_it_stays_open_until_it_has_cooled_down_then_probes():
    assert next_breaker(BAD, [], FUSE, now=at(59)) == BAD
    assert next_breaker(BAD, [], FUSE, now=at(60)) == CircuitBreaker("half-open", at(60), 1)


def test_good_probes_close_it_and_reset_its_openings():
    probing = CircuitBreaker("half-open", at(60), 3)

    assert next_breaker(probing, [tally(61, 4, 1)], FUSE, now=at(70)) == closed_breaker(at(70))


def test_bad_probes_open_it_for_twice_as_long():
    probing = CircuitBreaker("half-open", at(60), 1)

    again = next_breaker(probing, [tally(61, 4, 4)], FUSE, now=at(70))

    assert again == CircuitBreaker("open", at(70), 2)
    assert next_breaker(again, [], FUSE, now=at(70 + 119)).state == "open"
    assert next_breaker(again, [], FUSE, now=at(70 + 120)).state == "half-open"


def test_it_stays_half_open_until_there_are_enough_probes():
    probing = CircuitBreaker("half-open", at(60), 1)

    assert next_breaker(probing, [tally(61, 3, 0)], FUSE, now=at(6000)) == probing


def test_failures_before_a_state_change_do_not_count_after_it():
    probing = CircuitBreaker("half-open", at(60), 1)

    assert next_breaker(probing, [tally(0, 100, 100)], FUSE, now=at(61)) == probing


def test_cool_downs_have_a_maximum():
    assert FUSE.cool_down(1) == timedelta(minutes=1)
    assert FUSE.cool_down(1000) == timedelta(minutes=15)


def test_the_most_restrictive_breaker_decides_for_the_lane():
    assert combined_state([]) == combined_state([closed_breaker(NOON)]) == "closed"
    assert combined_state([closed_breaker(NOON), CircuitBreaker("half-open", NOON, 1)]) == "half-open"
    assert combined_state([CircuitBreaker("half-open", NOON, 1), BAD]) == "open"


@given(st.lists(st.tuples(st.integers(0, 40), st.floats(0, 1)), min_size=30, max_size=60))
def test_it_always_closes_after_the_dependency_recovers(weather: list[tuple[int, float]]):
    breaker, tallies = closed_breaker(NOON), []
    for minute, (calls, rate) in enumerate(weather):
        tallies.append(tally(60 * minute + 1, calls, round(calls * rate)))
        breaker = next_breaker(breaker, tallies, FUSE, now=at(60 * minute + 30))
    for minute in range(len(weather), len(weather) + 40):
        tallies.append(tally(60 * minute + 1, 0 if breaker.state == "open" else 10, 0))
        breaker = next_breaker(breaker, tallies, FUSE, now=at(60 * minute + 30))

    assert breaker.state == "closed"
