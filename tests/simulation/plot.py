"""The plot of `make simulate`: traffic, workers, age and backfill, one column per scenario."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from tests.plotting import BACKFILL, LIVE, WARNING, save_png, style_axes
from tests.simulation.simulation import BOUNDS, SimulatedHour
from tests.simulation.traffic import MINUTES, seconds

BULK_AREA, FIXED = "#c8d9c3", "#b8b8b8"
SHADE_ALPHA = 0.13


def draw_simulation(
    balanced_hours: Sequence[SimulatedHour], fixed_hours: Sequence[SimulatedHour], path: Path
) -> None:
    """Write a PNG: each scenario under the controller; in grey, the same traffic with fixed allocations."""
    figure, axes = plt.subplots(4, len(balanced_hours), figsize=(17, 9), sharex=True, squeeze=False)
    for column, (hour, fixed_hour) in enumerate(zip(balanced_hours, fixed_hours, strict=True)):
        _draw_traffic(axes[0][column], hour)
        _draw_workers(axes[1][column], hour)
        _draw_ages(axes[2][column], hour, fixed_hour)
        _draw_backfill(axes[3][column], hour, fixed_hour)
        axes[0][column].set_title(hour.scenario.name, loc="left", fontsize=11)
        axes[3][column].set_xlabel("minutes")
    names = ("live arrivals / s", "workers allowed", "oldest live message, s", "backfill messages")
    for row, name in enumerate(names):
        axes[row][0].set_ylabel(name)
    axes[1][0].legend(loc="upper right", fontsize=9, facecolor="white", edgecolor="none")
    axes[2][0].legend(loc="upper right", fontsize=9, frameon=False)
    _style_grid(figure, axes)
    save_png(figure, path)


def _draw_traffic(axis: Any, hour: SimulatedHour) -> None:
    axis.fill_between(_minutes(), hour.arrivals, color=LIVE, alpha=0.25, lw=0)
    axis.plot(_minutes(), hour.scenario.live_per_s(seconds()), color=LIVE, lw=1.4)
    axis.set_ylim(0, None)


def _draw_workers(axis: Any, hour: SimulatedHour) -> None:
    axis.stackplot(
        _minutes(), hour.live_workers, hour.bulk_workers, colors=[LIVE, BULK_AREA], labels=["live", "bulk"]
    )
    capacity = hour.scenario.capacity(seconds())
    if capacity.min() < BOUNDS.total:
        axis.plot(_minutes(), capacity, color="black", lw=1, ls=":")
        axis.text(20, 80, "unavailable", fontsize=8, ha="center")
    axis.set_ylim(0, BOUNDS.total)


def _draw_ages(axis: Any, hour: SimulatedHour, fixed_hour: SimulatedHour) -> None:
    _shade_degradation(axis, hour)
    axis.plot(_minutes(), fixed_hour.age_s + 0.5, color=FIXED, lw=1.4, label="fixed allocation 10 : 90")
    axis.plot(_minutes(), hour.age_s + 0.5, color=LIVE, lw=1.4, label="controller")
    axis.axhline(BOUNDS.age_target_s, color="black", lw=0.8, ls="--", label="target")
    axis.set_yscale("log")
    axis.set_ylim(0.4, 5000)


def _draw_backfill(axis: Any, hour: SimulatedHour, fixed_hour: SimulatedHour) -> None:
    axis.plot(_minutes(), fixed_hour.bulk_backlog / 1000, color=FIXED, lw=1.2)
    axis.plot(_minutes(), hour.bulk_backlog / 1000, color=BACKFILL, lw=1.4)
    axis.set_ylim(0, None)
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:.0f}k")


def _shade_degradation(axis: Any, hour: SimulatedHour) -> None:
    """Shade the time in which degradation steps are active, darker for more steps."""
    for level in range(1, int(hour.degradation_level.max()) + 1):
        axis.fill_between(
            _minutes(),
            0.4,
            5000,
            where=hour.degradation_level >= level,
            color=WARNING,
            alpha=SHADE_ALPHA,
            lw=0,
            step="post",
        )
    if hour.degradation_level.max():
        first = float(_minutes()[hour.degradation_level > 0][0])
        axis.text(first, 1200, " degraded", color=WARNING, fontsize=8)


def _style_grid(figure: Any, axes: Any) -> None:
    style_axes(axes.flat)
    for axis in axes.flat:
        axis.grid(axis="y", color="#eeeeee", lw=0.8)
        axis.set_axisbelow(True)
        axis.set_xlim(0, MINUTES)
        axis.set_xticks(range(0, MINUTES + 1, 15))
    figure.suptitle(
        "The controller moves 100 workers between lanes: live stays within its target, bulk uses the rest",
        x=0.01,
        ha="left",
        fontsize=13,
    )
    figure.tight_layout(rect=(0, 0, 1, 0.98))


def _minutes() -> Any:
    return seconds() / 60
