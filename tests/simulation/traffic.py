"""Traffic scenarios: messages per second and the available workers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MINUTES = 60
SECONDS = MINUTES * 60
QUIET_PER_S = 5.0

Rate = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One hour.

    live_per_s  expected arrivals in each second
    backfill    number of bulk messages that arrive at `backfill_at_s`
    capacity    workers that the account provides in each second
    onset_s     second in which the disturbance has its full size
    """

    name: str
    live_per_s: Rate
    backfill: int = 300_000
    backfill_at_s: int = 0
    capacity: Rate = lambda t: np.full_like(t, 100.0)
    onset_s: int = 0


def seconds() -> NDArray[np.float64]:
    """Return every second of the hour."""
    return np.arange(SECONDS, dtype=np.float64)


def _is_between(t: NDArray[np.float64], start_min: float, end_min: float) -> NDArray[np.bool_]:
    return (t >= start_min * 60) & (t < end_min * 60)


def _steady(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.full_like(t, QUIET_PER_S)


def _ramp(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return QUIET_PER_S + 115 * np.interp(t / 60, [5, 25, 35, 55], [0, 1, 1, 0])


def _spike(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(_is_between(t, 10, 16), 20 * QUIET_PER_S, QUIET_PER_S)


def _overload(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(_is_between(t, 10, 22), 68 * QUIET_PER_S, QUIET_PER_S)


def _high_load(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.full_like(t, 6 * QUIET_PER_S)


def _reduced_capacity(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(_is_between(t, 10, 30), 45.0, 100.0)


SCENARIOS = (
    Scenario("steady", _steady),
    Scenario("ramp", _ramp, onset_s=25 * 60),
    Scenario("spike × 20", _spike, onset_s=10 * 60),
    Scenario("backfill of 100,000", _steady, backfill=100_000, backfill_at_s=300, onset_s=300),
    Scenario("reduced capacity", _high_load, capacity=_reduced_capacity, onset_s=10 * 60),
    Scenario("overload", _overload, onset_s=10 * 60),
)
