"""What is promised, as shares of good events, and how fast each promise's budget goes."""

import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

BURN_WINDOWS = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "3d": timedelta(days=3),
    "30d": timedelta(days=30),
}
"""The long windows of the burn-rate alarms, and the time that a budget is for."""

BUDGET_WINDOW = "30d"


class InvalidObjective(ValueError):
    """A promise says something that cannot be meant; the message names it."""


@dataclass(frozen=True, slots=True)
class MetricRef:
    """One of our own metrics, of one service."""

    service: str
    metric: str


@dataclass(frozen=True, slots=True)
class Objective:
    """A share of good events: `target` 0 to 1, good = total - bad; signals of a kind add up."""

    name: str
    description: str
    target: float
    bad: tuple[MetricRef, ...]
    total: tuple[MetricRef, ...]

    @property
    def budget(self) -> float:
        """The share of events that may be bad."""
        return 1 - self.target


@dataclass(frozen=True, slots=True)
class SloStatus:
    """How an objective is kept; a window in which nothing happened has no share.

    good  share of good events, 0 to 1, by window
    burn  by window, how many times as fast as it may the budget goes
    left  of the budget of 30 days, 1 when nothing is spent; below 0 the promise is broken
    """

    objective: Objective
    good_share: Mapping[str, float]
    burn_rate: Mapping[str, float]
    budget_remaining: float | None


MetricSums = Callable[
    [Collection[MetricRef], Mapping[str, timedelta]], Mapping[str, Mapping[MetricRef, float]]
]
"""(signals, windows) -> what was counted of each, by window."""


def parse_objectives(text: str) -> tuple[Objective, ...]:
    """The objectives of infra/slo.toml. Raises BadObjective, and what TOML and lacking keys raise."""
    return tuple(_parse_objective(name, table) for name, table in tomllib.loads(text)["objectives"].items())


def evaluate_objectives(objectives: Sequence[Objective], sum_metrics: MetricSums) -> tuple[SloStatus, ...]:
    """How each is kept, from one look at all that was counted. Raises what counting raises."""
    sums = sum_metrics({signal for one in objectives for signal in (*one.bad, *one.total)}, BURN_WINDOWS)
    return tuple(slo_status(one, sums) for one in objectives)


def slo_status(objective: Objective, sums: Mapping[str, Mapping[MetricRef, float]]) -> SloStatus:
    """From what was counted in each window."""
    good_share: dict[str, float] = {}
    for window, window_sums in sums.items():
        bad, total = (
            sum(window_sums.get(one, 0.0) for one in kind) for kind in (objective.bad, objective.total)
        )
        if total:
            good_share[window] = 1 - min(bad / total, 1.0)
    burn_rate = {window: (1 - good) / objective.budget for window, good in good_share.items()}
    return SloStatus(
        objective, good_share, burn_rate, 1 - burn_rate[BUDGET_WINDOW] if BUDGET_WINDOW in burn_rate else None
    )


def _parse_objective(name: str, table: Mapping[str, Any]) -> Objective:
    target = float(table["target"])
    if not 0 < target < 1:
        raise InvalidObjective(f"{name}: a target lies between 0 and 1")
    bad, total = (tuple(MetricRef(**signal) for signal in table[kind]) for kind in ("bad", "total"))
    return Objective(name, str(table["description"]), target, bad, total)
