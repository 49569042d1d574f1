"""Service level objectives: shares of good events, and the burn rate of their error budgets."""

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
"""The long windows of the burn-rate alarms, and the period of the error budget."""

BUDGET_WINDOW = "30d"


class InvalidObjective(ValueError):
    """An objective is invalid; the message names it."""


@dataclass(frozen=True, slots=True)
class MetricRef:
    """A metric of one service in the project's namespace."""

    service: str
    metric: str


@dataclass(frozen=True, slots=True)
class Objective:
    """`target` is a share of good events, 0 to 1; good = total - bad; the metrics of each list are summed."""

    name: str
    description: str
    target: float
    bad: tuple[MetricRef, ...]
    total: tuple[MetricRef, ...]

    @property
    def budget(self) -> float:
        """The allowed share of bad events."""
        return 1 - self.target


@dataclass(frozen=True, slots=True)
class SloStatus:
    """The state of an objective; a window without events has no entry.

    good_share        share of good events by window, 0 to 1
    burn_rate         by window: 1 uses up the budget in exactly 30 days
    budget_remaining  share of the 30-day budget: 1 if unused, below 0 if the objective is missed
    """

    objective: Objective
    good_share: Mapping[str, float]
    burn_rate: Mapping[str, float]
    budget_remaining: float | None


MetricSums = Callable[
    [Collection[MetricRef], Mapping[str, timedelta]], Mapping[str, Mapping[MetricRef, float]]
]
"""(metrics, windows) -> the sum of each metric by window."""


def parse_objectives(text: str) -> tuple[Objective, ...]:
    """The objectives of infra/slo.toml. Raises InvalidObjective, TOMLDecodeError or KeyError."""
    return tuple(_parse_objective(name, table) for name, table in tomllib.loads(text)["objectives"].items())


def evaluate_objectives(objectives: Sequence[Objective], sum_metrics: MetricSums) -> tuple[SloStatus, ...]:
    """The status of each objective from one query of all metrics."""
    sums = sum_metrics({signal for one in objectives for signal in (*one.bad, *one.total)}, BURN_WINDOWS)
    return tuple(slo_status(one, sums) for one in objectives)


def slo_status(objective: Objective, sums: Mapping[str, Mapping[MetricRef, float]]) -> SloStatus:
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
        raise InvalidObjective(f"{name}: the target must lie between 0 and 1")
    bad, total = (tuple(MetricRef(**signal) for signal in table[kind]) for kind in ("bad", "total"))
    return Objective(name, str(table["description"]), target, bad, total)
