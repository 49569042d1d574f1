"""What a minute decides for both lanes."""

from datetime import timedelta

from tests.fakes.memory import NOON
from vigil.reliability.capacity import CapacityLimits
from vigil.reliability.circuit_breaker import CircuitBreaker
from vigil.reliability.controller import (
    ControllerPolicy,
    ControllerState,
    LaneObservation,
    MappingSettings,
    control_step,
    initial_state,
    is_healthy,
    mapping_settings,
)
from vigil.reliability.lane_counts import FirstAttempts, LaneCounts

RULES = ControllerPolicy(CapacityLimits(total=20), max_degradation_level=4)
NEXT = NOON + timedelta(minutes=1)
IDLE = LaneObservation((), 0)


def counted(calls: int, **failures: int) -> LaneCounts:
    first = {0: FirstAttempts(calls, failures)}
    return LaneCounts(NOON + timedelta(seconds=30), calls, calls * 0.5, failures, first_attempts=first)


def after(
    live: LaneObservation, bulk: LaneObservation = IDLE, state: ControllerState | None = None
) -> ControllerState:
    return control_step(
        state or initial_state(RULES.limits, NOON), {"live": live, "bulk": bulk}, RULES, now=NEXT
    )


def test_a_quiet_minute_opens_no_breaker_and_keeps_both_lanes_running():
    quiet = after(LaneObservation((counted(10),), 0))

    assert quiet.breakers == {}
    assert mapping_settings(quiet) == {"live": MappingSettings(True, 18), "bulk": MappingSettings(True, 2)}


def test_a_failing_dependency_stops_only_its_lane():
    failing = after(LaneObservation((counted(40, photos=30),), 500))

    assert mapping_settings(failing)["live"].enabled is False
    assert mapping_settings(failing)["bulk"].enabled is True
    assert not is_healthy(failing, "photos")
    assert is_healthy(failing, "records")


def test_faults_that_follow_the_inputs_of_one_source_stop_no_lane():
    counts = {1: FirstAttempts(600, {"model": 600}), 2: FirstAttempts(1)}

    garbage = after(LaneObservation((LaneCounts(NEXT, 3001, 9.0, {"model": 3000}, 0.0, counts),), 500))

    assert mapping_settings(garbage)["live"].enabled is True


def test_a_bug_that_every_source_meets_stops_the_lane():
    counts = {group: FirstAttempts(10, {"model": 10}) for group in range(3)}

    broken = after(LaneObservation((LaneCounts(NEXT, 30, 9.0, {"model": 30}, 0.0, counts),), 500))

    assert mapping_settings(broken)["live"].enabled is False


def test_a_lane_with_a_half_open_breaker_has_two_workers():
    failing = after(LaneObservation((counted(40, photos=30),), 500))

    probing = control_step(
        failing, {"live": LaneObservation((), 500), "bulk": IDLE}, RULES, now=NEXT + timedelta(minutes=1)
    )

    assert mapping_settings(probing)["live"] == MappingSettings(True, 2)


def test_a_stopped_lane_does_not_start_degradation():
    steady = ControllerState(
        NOON,
        RULES.limits.initial_allocation(),
        initial_state(RULES.limits, NOON).degradation,
        {("live", "photos"): CircuitBreaker("open", NOON, 1)},
    )

    assert after(LaneObservation((), 5000, age_s=600), state=steady).degradation.level == 0


def test_a_late_live_lane_with_all_workers_is_degraded():
    late = after(LaneObservation((counted(100),), 5000, age_s=600))

    assert late.degradation.level == 1


def test_arrivals_are_the_calls_plus_the_growth_of_the_backlog():
    first = after(LaneObservation((counted(60),), 120))

    assert first.backlogs == {"live": 120, "bulk": 0}
