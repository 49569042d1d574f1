"""A figure and how far it can be trusted; of a plain rate by Wilson's formula, for whoever has no numpy."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the range that holds it with the level's probability; `items` is what it rests on."""

    value: float
    low: float
    high: float
    items: int


def wilson_interval(hits: int, items: int, level: float = 0.95) -> Interval:
    """The score interval of a rate; right also for few items and for rates near 0 or 1."""
    if items == 0:
        return Interval(float("nan"), 0.0, 1.0, 0)
    z = NormalDist().inv_cdf((1 + level) / 2)
    rate, spread = hits / items, z * z / items
    centre = (rate + spread / 2) / (1 + spread)
    half = z / (1 + spread) * sqrt(rate * (1 - rate) / items + spread / (4 * items))
    return Interval(rate, max(0.0, centre - half), min(1.0, centre + half), items)
