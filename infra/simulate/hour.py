"""One scenario through both lanes and the controller: in, a seed; out, every second of an hour."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from infra.simulate.lane import Lane
from infra.simulate.traffic import SECONDS, Scenario, seconds
from vigil.steady.balance import Bounds, Share, Signals, balance, strained
from vigil.steady.degrade import Relief, Tempo, relieve

SERVICE_S = 0.4
EASED = (1.0, 0.7, 0.6, 0.5, 0.4)
"""A look's duration at each level of degradation, of what it is at none."""

BOUNDS = Bounds(total=100, live_least=10)
START = datetime(2026, 3, 2, tzinfo=UTC)

Controller = Callable[[Share, Signals, Signals, Bounds], Share]


@dataclass(frozen=True, slots=True)
class Hour:
    """Arrays by second, (3600,) float64 each; `ages` is (n, 3): second, age, messages of live work done."""

    scenario: Scenario
    arrived: NDArray[np.float64]
    live: NDArray[np.float64]
    bulk: NDArray[np.float64]
    age_s: NDArray[np.float64]
    bulk_backlog: NDArray[np.float64]
    level: NDArray[np.float64]
    ages: NDArray[np.float64]

    def age_p99_s(self, from_s: int) -> float:
        """End-to-end age that 99 of 100 live messages kept to, of those done from a second on."""
        late = self.ages[self.ages[:, 0] >= from_s]
        order = np.argsort(late[:, 1])
        reached = np.cumsum(late[order, 2]) / late[:, 2].sum()
        return float(late[order, 1][np.searchsorted(reached, 0.99)])

    def turns(self) -> int:
        """How often the live share changed its direction."""
        moves = np.sign(np.diff(self.live))
        moves = moves[moves != 0]
        return int(np.count_nonzero(np.diff(moves)))

    def moves(self) -> int:
        """How often workers were moved at all: each is a change of two mappings."""
        return int(np.count_nonzero(np.diff(self.live)))

    def bulk_done_at_s(self) -> float:
        """When the back-fill was through; infinity where it never was."""
        empty = np.flatnonzero((self.bulk_backlog == 0) & (seconds() > self.scenario.backfill_at_s))
        return float(empty[0]) if len(empty) else float("inf")


def fixed(share: Share, live: Signals, bulk: Signals, bounds: Bounds) -> Share:  # noqa: ARG001 - on purpose
    """No controller: what a template with two numbers does."""
    return Share(bounds.live_least, bounds.total - bounds.live_least, bounds.total)


def run(
    scenario: Scenario, controller: Controller = balance, *, seed: int = 7, bounds: Bounds = BOUNDS
) -> Hour:
    """Simulate one hour."""
    world = _World(scenario, controller, bounds, np.random.default_rng(seed))
    for now_s in range(SECONDS):
        world.second(now_s)
    return world.hour()


class _World:
    def __init__(
        self, scenario: Scenario, controller: Controller, bounds: Bounds, rng: np.random.Generator
    ) -> None:
        self._scenario, self._controller, self._bounds = scenario, controller, bounds
        self._arrivals = rng.poisson(scenario.live_per_s(seconds()))
        self._noise = rng.uniform(0.9, 1.1, SECONDS)
        self._capacity = scenario.capacity(seconds())
        self._live, self._bulk = Lane(), Lane()
        self._share = fixed(bounds.start(), _nothing(), _nothing(), bounds)
        self._relief = Relief(0, START)
        self._refused = 0
        self._rows: list[tuple[float, ...]] = []
        self._ages: list[tuple[int, int, int]] = []

    def second(self, now_s: int) -> None:
        scenario, share = self._scenario, self._share
        self._live.arrive(now_s, int(self._arrivals[now_s]))
        self._bulk.arrive(now_s, scenario.backfill if now_s == scenario.backfill_at_s else 0)
        granted = min(1.0, self._capacity[now_s] / max(1.0, self._live.wanted + self._bulk.wanted))
        self._refused += int(granted < 1)
        service_s = SERVICE_S * EASED[self._relief.level]
        done = self._live.work(now_s, allowed=share.live * granted, service_s=service_s)
        self._bulk.work(now_s, allowed=share.bulk * granted, service_s=SERVICE_S)
        self._ages += [(now_s, age, count) for age, count in done]
        age_s, level = self._live.age_s(now_s), float(self._relief.level)
        self._rows.append((float(share.live), float(share.bulk), age_s, float(self._bulk.backlog), level))
        if now_s % 60 == 59:
            self._minute(now_s, service_s)

    def _minute(self, now_s: int, service_s: float) -> None:
        """The controller sees ages that are a minute old, as CloudWatch tells them, and noisy durations."""
        age_s = self._rows[max(0, now_s - 60)][2]
        arrived_per_s = float(self._arrivals[now_s - 59 : now_s + 1].mean())
        measured_s = service_s * float(self._noise[now_s])
        live = Signals(age_s, self._live.backlog, arrived_per_s, measured_s, self._refused)
        bulk = Signals(0.0, self._bulk.backlog, 0.0, SERVICE_S)
        self._share = self._controller(self._share, live, bulk, self._bounds)
        self._refused = 0
        if self._controller is balance:
            self._relief = relieve(
                self._relief,
                is_strained=strained(self._share, live, self._bounds),
                is_calm=self._share.calm >= self._bounds.calm_minutes,
                most=len(EASED) - 1,
                now=START + timedelta(seconds=now_s),
                tempo=Tempo(),
            )

    def hour(self) -> Hour:
        live, bulk, age_s, backlog, level = np.array(self._rows, np.float64).T
        arrived = self._arrivals.astype(np.float64)
        ages = np.array(self._ages, np.float64)
        return Hour(self._scenario, arrived, live, bulk, age_s, backlog, level, ages)


def _nothing() -> Signals:
    return Signals(0.0, 0, 0.0, SERVICE_S)
