"""Many numbers as one: their sum, count, extremes, and a sketch that percentiles are read from.

The sketch counts numbers by their order of magnitude in steps of two per cent, as CloudWatch's own does:
a percentile is right to one per cent, and a summary stays small however much goes into it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_STEP = 1.02
_WIDTH = math.log(_STEP)
_NOTHING = -(10**6)
"""The step that zero and less are counted in."""

_FIGURES: Mapping[str, Callable[[Summary], float]] = {
    "Sum": lambda one: one.total,
    "SampleCount": lambda one: float(one.count),
    "Average": lambda one: one.total / one.count,
    "Maximum": lambda one: one.most,
    "Minimum": lambda one: one.least,
}


class UnknownStatistic(ValueError):
    """CloudWatch may know it; here nobody does."""


@dataclass(slots=True)
class Summary:
    """Of at least one number once it is asked for a statistic."""

    total: float = 0.0
    count: int = 0
    most: float = -math.inf
    least: float = math.inf
    steps: Counter[int] = field(default_factory=Counter)

    def add(self, values: Iterable[float]) -> None:
        """So many numbers more."""
        for value in values:
            self.total += value
            self.count += 1
            self.most, self.least = max(self.most, value), min(self.least, value)
            self.steps[math.ceil(math.log(value) / _WIDTH) if value > 0 else _NOTHING] += 1

    def merge(self, other: Summary) -> None:
        """All numbers of another one, too."""
        self.total += other.total
        self.count += other.count
        self.most, self.least = max(self.most, other.most), min(self.least, other.least)
        self.steps.update(other.steps)

    def statistic(self, name: str) -> float:
        """As CloudWatch names it: Sum, Average, p99 ... Raises UnknownStatistic."""
        if name in _FIGURES:
            return _FIGURES[name](self)
        if not name.startswith("p"):
            raise UnknownStatistic(name)
        return self._percentile(float(name[1:]))

    def plain(self) -> list[Any]:
        """For JSON."""
        return [self.total, self.count, self.most, self.least, list(self.steps.items())]

    @classmethod
    def read(cls, plain: list[Any]) -> Summary:
        """The inverse of `plain`."""
        total, count, most, least, steps = plain
        return cls(total, count, most, least, Counter(dict(steps)))

    def _percentile(self, percent: float) -> float:
        rank, seen = max(1, math.ceil(self.count * percent / 100)), 0
        for step in sorted(self.steps):
            seen += self.steps[step]
            if seen >= rank:
                break
        middle = _STEP**step * 2 / (1 + _STEP) if step != _NOTHING else 0.0
        return min(max(middle, self.least), self.most)
