"""One minute's decision about workers."""

from hypothesis import given
from hypothesis import strategies as st

from vigil.reliability.capacity import (
    CapacityLimits,
    LaneLoad,
    WorkerAllocation,
    allocate_workers,
    capped,
    is_overloaded,
)

BOUNDS = CapacityLimits(total=100, live_min=10)
CALM = LaneLoad(age_s=1, backlog=0, arrived_per_s=1, service_s=0.4)
BULK = LaneLoad(age_s=900, backlog=90_000, arrived_per_s=0, service_s=0.4)


def next_(share: WorkerAllocation, live: LaneLoad = CALM, bulk: LaneLoad = BULK) -> WorkerAllocation:
    return allocate_workers(share, live, bulk, BOUNDS)


def test_live_is_raised_at_once_to_the_workers_for_traffic_and_backlog():
    busy = LaneLoad(age_s=5, backlog=1200, arrived_per_s=50, service_s=0.4)

    assert next_(WorkerAllocation(10, 90, 100), busy).live == 40


def test_a_late_live_lane_gets_at_least_half_as_many_workers_again():
    late = LaneLoad(age_s=60, backlog=10, arrived_per_s=1, service_s=0.1)

    assert next_(WorkerAllocation(20, 80, 100), late).live == 30


def test_live_is_lowered_only_after_calm_minutes_by_a_quarter():
    share, given_ = WorkerAllocation(80, 20, 100), []
    for _ in range(8):
        share = next_(share)
        given_.append(share.live)

    assert given_ == [80, 80, 80, 80, 60, 45, 33, 24]


def test_a_small_difference_changes_nothing():
    steady = LaneLoad(age_s=1, backlog=0, arrived_per_s=33, service_s=0.4)

    assert next_(WorkerAllocation(20, 80, 100, calm_minutes=9), steady).live == 20


def test_throttles_lower_the_budget_and_it_grows_back_without_them():
    throttled = LaneLoad(1, 0, 1, 0.4, throttles=3)

    less = next_(WorkerAllocation(10, 90, 100), throttled)

    assert less.budget == 83
    assert next_(less).budget == 88


def test_live_is_overloaded_only_with_all_workers_and_when_new_arrivals_will_be_late():
    behind = LaneLoad(age_s=10, backlog=7500, arrived_per_s=300, service_s=0.4)

    assert is_overloaded(WorkerAllocation(98, 2, 100), behind, BOUNDS)
    assert not is_overloaded(WorkerAllocation(97, 3, 100), behind, BOUNDS)
    assert not is_overloaded(WorkerAllocation(98, 2, 100), CALM, BOUNDS)


def test_an_old_backlog_that_is_almost_processed_is_no_overload():
    nearly = LaneLoad(age_s=300, backlog=500, arrived_per_s=100, service_s=0.4)

    assert not is_overloaded(WorkerAllocation(98, 2, 100), nearly, BOUNDS)


def test_a_half_open_breaker_limits_live_and_bulk_gets_no_more():
    assert capped(WorkerAllocation(40, 60, 100), 2) == WorkerAllocation(2, 60, 100)


signals = st.builds(
    LaneLoad,
    st.floats(0, 1e5),
    st.integers(0, 10**7),
    st.floats(0, 1e4),
    st.floats(0.01, 60),
    st.integers(0, 9),
)


@given(st.lists(st.tuples(signals, signals), min_size=1, max_size=30))
def test_both_lanes_always_have_their_minimum_and_the_sum_is_the_budget(
    minutes: list[tuple[LaneLoad, LaneLoad]],
):
    share = BOUNDS.initial_allocation()
    for live, bulk in minutes:
        share = allocate_workers(share, live, bulk, BOUNDS)

        assert share.live >= BOUNDS.live_min
        assert share.bulk >= BOUNDS.bulk_min
        assert share.live + share.bulk == share.budget <= BOUNDS.total
