"""Simulation of one hour of a scenario with both lanes and the controller."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from tests.simulation.queue_model import LaneQueue
from tests.simulation.traffic import SECONDS, Scenario, seconds
from vigil.reliability.capacity import (
    CapacityLimits,
    LaneLoad,
    WorkerAllocation,
    allocate_workers,
    is_overloaded,
)
from vigil.reliability.degradation import DegradationLevel, DegradationPolicy, next_level

SERVICE_S = 0.4
SERVICE_TIME_FACTORS = (1.0, 0.7, 0.6, 0.5, 0.4)
"""Processing time at each degradation level, relative to level 0."""

BOUNDS = CapacityLimits(total=100, live_min=10)
START = datetime(2026, 3, 2, tzinfo=UTC)

Controller = Callable[[WorkerAllocation, LaneLoad, LaneLoad, CapacityLimits], WorkerAllocation]


@dataclass(frozen=True, slots=True)
class SimulatedHour:
    """Series by second, (3600,) float64 each; `ages` is (n, 3): second, age, completed live messages."""

    scenario: Scenario
    arrivals: NDArray[np.float64]
    live_workers: NDArray[np.float64]
    bulk_workers: NDArray[np.float64]
    age_s: NDArray[np.float64]
    bulk_backlog: NDArray[np.float64]
    degradation_level: NDArray[np.float64]
    ages: NDArray[np.float64]

    def age_p99_s(self, from_s: int) -> float:
        """99th percentile of the age of live messages that completed at or after `from_s`."""
        late = self.ages[self.ages[:, 0] >= from_s]
        order = np.argsort(late[:, 1])
        reached = np.cumsum(late[order, 2]) / late[:, 2].sum()
        return float(late[order, 1][np.searchsorted(reached, 0.99)])

    def direction_changes(self) -> int:
        """Number of times the live allocation changed direction."""
        changes = np.sign(np.diff(self.live_workers))
        changes = changes[changes != 0]
        return int(np.count_nonzero(np.diff(changes)))

    def share_changes(self) -> int:
        """Number of reallocations; each changes two event source mappings."""
        return int(np.count_nonzero(np.diff(self.live_workers)))

    def backfill_done_at_s(self) -> float:
        """Second in which the backfill completed; infinity if it did not."""
        empty = np.flatnonzero((self.bulk_backlog == 0) & (seconds() > self.scenario.backfill_at_s))
        return float(empty[0]) if len(empty) else float("inf")


def fixed_shares(
    share: WorkerAllocation, live: LaneLoad, bulk: LaneLoad, bounds: CapacityLimits
) -> WorkerAllocation:
    """Fixed allocation, as two template parameters without a controller would give."""
    return WorkerAllocation(bounds.live_min, bounds.total - bounds.live_min, bounds.total)


def simulate_hour(
    scenario: Scenario,
    controller: Controller = allocate_workers,
    *,
    seed: int = 7,
    bounds: CapacityLimits = BOUNDS,
) -> SimulatedHour:
    """Simulate one hour."""
    simulation = _Simulation(scenario, controller, bounds, np.random.default_rng(seed))
    for now_s in range(SECONDS):
        simulation.step(now_s)
    return simulation.result()


class _Simulation:
    def __init__(
        self, scenario: Scenario, controller: Controller, bounds: CapacityLimits, rng: np.random.Generator
    ) -> None:
        self._scenario, self._controller, self._bounds = scenario, controller, bounds
        self._arrivals = rng.poisson(scenario.live_per_s(seconds()))
        self._noise = rng.uniform(0.9, 1.1, SECONDS)
        self._capacity = scenario.capacity(seconds())
        self._live, self._bulk = LaneQueue(), LaneQueue()
        self._share = fixed_shares(bounds.initial_allocation(), _no_load(), _no_load(), bounds)
        self._degradation = DegradationLevel(0, START)
        self._throttled = 0
        self._rows: list[tuple[float, ...]] = []
        self._ages: list[tuple[int, int, int]] = []

    def step(self, now_s: int) -> None:
        scenario, share = self._scenario, self._share
        self._live.enqueue(now_s, int(self._arrivals[now_s]))
        self._bulk.enqueue(now_s, scenario.backfill if now_s == scenario.backfill_at_s else 0)
        granted = min(
            1.0, self._capacity[now_s] / max(1.0, self._live.usable_workers + self._bulk.usable_workers)
        )
        self._throttled += int(granted < 1)
        service_s = SERVICE_S * SERVICE_TIME_FACTORS[self._degradation.level]
        done = self._live.process(now_s, allowed=share.live * granted, service_s=service_s)
        self._bulk.process(now_s, allowed=share.bulk * granted, service_s=SERVICE_S)
        self._ages += [(now_s, age, count) for age, count in done]
        age_s, level = self._live.age_s(now_s), float(self._degradation.level)
        self._rows.append((float(share.live), float(share.bulk), age_s, float(self._bulk.backlog), level))
        if now_s % 60 == 59:
            self._control(now_s, service_s)

    def _control(self, now_s: int, service_s: float) -> None:
        """Run the controller with ages that are a minute old, as in CloudWatch, and noisy durations."""
        age_s = self._rows[max(0, now_s - 60)][2]
        arrival_rate_per_s = float(self._arrivals[now_s - 59 : now_s + 1].mean())
        measured_s = service_s * float(self._noise[now_s])
        live = LaneLoad(age_s, self._live.backlog, arrival_rate_per_s, measured_s, self._throttled)
        bulk = LaneLoad(0.0, self._bulk.backlog, 0.0, SERVICE_S)
        self._share = self._controller(self._share, live, bulk, self._bounds)
        self._throttled = 0
        if self._controller is allocate_workers:
            self._degradation = next_level(
                self._degradation,
                is_overloaded=is_overloaded(self._share, live, self._bounds),
                is_calm=self._share.calm_minutes >= self._bounds.calm_minutes,
                max_level=len(SERVICE_TIME_FACTORS) - 1,
                now=START + timedelta(seconds=now_s),
                policy=DegradationPolicy(),
            )

    def result(self) -> SimulatedHour:
        live, bulk, age_s, backlog, level = np.array(self._rows, np.float64).T
        arrived = self._arrivals.astype(np.float64)
        ages = np.array(self._ages, np.float64)
        return SimulatedHour(self._scenario, arrived, live, bulk, age_s, backlog, level, ages)


def _no_load() -> LaneLoad:
    return LaneLoad(0.0, 0, 0.0, SERVICE_S)
