"""Figures with confidence intervals, and Wilson's interval of a rate, without numpy."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure, its confidence interval, and the number of items that it is computed from."""

    value: float
    low: float
    high: float
    items: int


def wilson_interval(hits: int, items: int, level: float = 0.95) -> Interval:
    """Wilson's score interval (1927), which is accurate also for few items and rates near 0 or 1."""
    if items == 0:
        return Interval(float("nan"), 0.0, 1.0, 0)
    z = NormalDist().inv_cdf((1 + level) / 2)
    rate, spread = hits / items, z * z / items
    centre = (rate + spread / 2) / (1 + spread)
    half = z / (1 + spread) * sqrt(rate * (1 - rate) / items + spread / (4 * items))
    return Interval(rate, max(0.0, centre - half), min(1.0, centre + half), items)
