"""What is promised, as shares of good events, and how fast each promise's budget goes."""

import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

WINDOWS = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "3d": timedelta(days=3),
    "30d": timedelta(days=30),
}
"""The long windows of the burn-rate alarms, and the time that a budget is for."""

PERIOD = "30d"


class BadObjective(ValueError):
    """A promise says something that cannot be meant; the message names it."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One of our own metrics, of one service."""

    service: str
    metric: str


@dataclass(frozen=True, slots=True)
class Objective:
    """A share of good events: `target` 0 to 1, good = total - bad; signals of a kind add up."""

    name: str
    says: str
    target: float
    bad: tuple[Signal, ...]
    total: tuple[Signal, ...]

    @property
    def budget(self) -> float:
        """The share of events that may be bad."""
        return 1 - self.target


@dataclass(frozen=True, slots=True)
class Promise:
    """How an objective is kept; a window in which nothing happened has no share.

    good  share of good events, 0 to 1, by window
    burn  by window, how many times as fast as it may the budget goes
    left  of the budget of 30 days, 1 when nothing is spent; below 0 the promise is broken
    """

    objective: Objective
    good: Mapping[str, float]
    burn: Mapping[str, float]
    left: float | None


Count = Callable[[Collection[Signal], Mapping[str, timedelta]], Mapping[str, Mapping[Signal, float]]]
"""(signals, windows) -> what was counted of each, by window."""


def read_objectives(text: str) -> tuple[Objective, ...]:
    """The objectives of infra/slo.toml. Raises BadObjective, and what TOML and lacking keys raise."""
    return tuple(_objective(name, table) for name, table in tomllib.loads(text)["objectives"].items())


def followed(objectives: Sequence[Objective], count: Count) -> tuple[Promise, ...]:
    """How each is kept, from one look at all that was counted. Raises what counting raises."""
    sums = count({signal for one in objectives for signal in (*one.bad, *one.total)}, WINDOWS)
    return tuple(kept(one, sums) for one in objectives)


def kept(objective: Objective, sums: Mapping[str, Mapping[Signal, float]]) -> Promise:
    """From what was counted in each window."""
    good: dict[str, float] = {}
    for window, counted in sums.items():
        bad, total = (sum(counted.get(one, 0.0) for one in kind) for kind in (objective.bad, objective.total))
        if total:
            good[window] = 1 - min(bad / total, 1.0)
    burn = {window: (1 - share) / objective.budget for window, share in good.items()}
    return Promise(objective, good, burn, 1 - burn[PERIOD] if PERIOD in burn else None)


def _objective(name: str, table: Mapping[str, Any]) -> Objective:
    target = float(table["target"])
    if not 0 < target < 1:
        raise BadObjective(f"{name}: a target lies between 0 and 1")
    bad, total = (tuple(Signal(**signal) for signal in table[kind]) for kind in ("bad", "total"))
    return Objective(name, str(table["says"]), target, bad, total)
