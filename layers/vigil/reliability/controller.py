"""One control step per minute: breakers, worker allocation and degradation from what the lanes counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from vigil.errors import MODEL
from vigil.reliability.capacity import (
    CapacityLimits,
    LaneLoad,
    WorkerAllocation,
    allocate_workers,
    capped,
    is_overloaded,
)
from vigil.reliability.circuit_breaker import (
    BreakerPolicy,
    BreakerState,
    CallCounts,
    CircuitBreaker,
    closed_breaker,
    combined_state,
    next_breaker,
)
from vigil.reliability.degradation import DegradationLevel, DegradationPolicy, next_level
from vigil.reliability.lane_counts import LANES, LaneCounts

MODEL_BREAKER_GROUPS = 3
"""A bug follows its input: the model's breaker opens only if the inputs of so many groups of sources fail."""

PROBE_WORKERS = 2
"""Workers of a lane with a half-open breaker: the minimum that Lambda accepts."""


@dataclass(frozen=True, slots=True)
class LaneObservation:
    """A lane's recent counts, waiting messages, throttles, and age of the oldest message from CloudWatch."""

    counts: Sequence[LaneCounts]
    backlog: int
    throttles: int = 0
    age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ControllerState:
    """State that is stored between steps; breakers by (lane, dependency)."""

    at: datetime
    allocation: WorkerAllocation
    degradation: DegradationLevel
    breakers: Mapping[tuple[str, str], CircuitBreaker] = field(default_factory=dict)
    backlogs: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MappingSettings:
    """Desired settings of a lane's event source mapping."""

    enabled: bool
    workers: int


@dataclass(frozen=True, slots=True)
class ControllerPolicy:
    limits: CapacityLimits
    max_degradation_level: int
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    degradation: DegradationPolicy = field(default_factory=DegradationPolicy)


def initial_state(limits: CapacityLimits, now: datetime) -> ControllerState:
    return ControllerState(now, limits.initial_allocation(), DegradationLevel(0, now))


def control_step(
    state: ControllerState, lanes: Mapping[str, LaneObservation], policy: ControllerPolicy, *, now: datetime
) -> ControllerState:
    """The next state. Breakers come first: counts of a stopped lane say nothing about its workers."""
    breakers = _next_breakers(state, lanes, policy.breaker, now)
    live, bulk = (_lane_load(lane, lanes[lane], state, now) for lane in LANES)
    allocation = allocate_workers(state.allocation, live, bulk, policy.limits)
    degradation = next_level(
        state.degradation,
        is_overloaded=lane_breaker_state("live", breakers) == "closed"
        and is_overloaded(allocation, live, policy.limits),
        is_calm=allocation.calm_minutes >= policy.limits.calm_minutes,
        max_level=policy.max_degradation_level,
        now=now,
        policy=policy.degradation,
    )
    return ControllerState(
        now, allocation, degradation, breakers, {lane: lanes[lane].backlog for lane in LANES}
    )


def mapping_settings(state: ControllerState) -> dict[str, MappingSettings]:
    states = {lane: lane_breaker_state(lane, state.breakers) for lane in LANES}
    allocation = (
        capped(state.allocation, PROBE_WORKERS) if states["live"] == "half-open" else state.allocation
    )
    bulk = PROBE_WORKERS if states["bulk"] == "half-open" else allocation.bulk
    return {
        "live": MappingSettings(states["live"] != "open", allocation.live),
        "bulk": MappingSettings(states["bulk"] != "open", bulk),
    }


def lane_breaker_state(lane: str, breakers: Mapping[tuple[str, str], CircuitBreaker]) -> BreakerState:
    """The combined state of a lane's breakers."""
    return combined_state(
        [breaker for (breaker_lane, _), breaker in breakers.items() if breaker_lane == lane]
    )


def is_healthy(state: ControllerState, dependency: str) -> bool:
    """Whether no lane's breaker is open for the dependency."""
    return all(one.state != "open" for (_, name), one in state.breakers.items() if name == dependency)


def _next_breakers(
    state: ControllerState, lanes: Mapping[str, LaneObservation], policy: BreakerPolicy, now: datetime
) -> dict[tuple[str, str], CircuitBreaker]:
    """One step of every existing breaker and of a new one for each failing dependency."""
    failing = {(lane, name) for lane in LANES for one in lanes[lane].counts for name in one.failures}
    return {
        (lane, name): next_breaker(
            state.breakers.get((lane, name), replace(closed_breaker(now), since=now - policy.window)),
            [_call_counts(one, name) for one in lanes[lane].counts],
            replace(policy, min_groups=MODEL_BREAKER_GROUPS) if name == MODEL else policy,
            now=now,
        )
        for lane, name in sorted(failing | set(state.breakers))
    }


def _call_counts(counts: LaneCounts, dependency: str) -> CallCounts:
    first_attempts = {
        group: (one.calls, one.failures.get(dependency, 0)) for group, one in counts.first_attempts.items()
    }
    return CallCounts(counts.at, counts.calls, counts.failures.get(dependency, 0), first_attempts)


def _lane_load(lane: str, observation: LaneObservation, state: ControllerState, now: datetime) -> LaneLoad:
    """Arrivals are the calls plus the growth of the backlog."""
    elapsed_s = max(1.0, (now - state.at).total_seconds())
    recent = [one for one in observation.counts if one.at >= state.at]
    calls = sum(one.calls for one in recent)
    growth = observation.backlog - state.backlogs.get(lane, observation.backlog)
    all_calls = sum(one.calls for one in observation.counts)
    service_s = sum(one.seconds for one in observation.counts) / all_calls if all_calls else 1.0
    age_s = max([observation.age_s, *(one.age_s for one in recent)])
    return LaneLoad(
        age_s, observation.backlog, max(0.0, (calls + growth) / elapsed_s), service_s, observation.throttles
    )
