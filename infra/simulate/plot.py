"""Simulated hours as small multiples: traffic, workers, age, back-fill; a column for each scenario."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt

from infra.simulate.hour import BOUNDS, Hour
from infra.simulate.traffic import MINUTES, seconds

LIVE, BULK, WITHOUT, EASED = "#0b6e99", "#c8d9c3", "#b8b8b8", "#d9822b"
SHADE = 0.13


def draw(balanced: Sequence[Hour], unbalanced: Sequence[Hour], path: Path) -> None:
    """Write a PNG: each scenario under the controller, and the same traffic with fixed shares in grey."""
    figure, axes = plt.subplots(4, len(balanced), figsize=(17, 9), sharex=True, squeeze=False)
    for column, (hour, without) in enumerate(zip(balanced, unbalanced, strict=True)):
        _traffic(axes[0][column], hour)
        _workers(axes[1][column], hour)
        _ages(axes[2][column], hour, without)
        _backfill(axes[3][column], hour, without)
        axes[0][column].set_title(hour.scenario.name, loc="left", fontsize=11)
        axes[3][column].set_xlabel("minutes")
    names = ("live arrivals / s", "workers allowed", "oldest live message, s", "back-fill still waiting")
    for row, name in enumerate(names):
        axes[row][0].set_ylabel(name)
    axes[1][0].legend(loc="upper right", fontsize=9, facecolor="white", edgecolor="none")
    axes[2][0].legend(loc="upper right", fontsize=9, frameon=False)
    _tidy(figure, axes)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _traffic(axis: Any, hour: Hour) -> None:
    axis.fill_between(_minutes(), hour.arrived, color=LIVE, alpha=0.25, lw=0)
    axis.plot(_minutes(), hour.scenario.live_per_s(seconds()), color=LIVE, lw=1.4)
    axis.set_ylim(0, None)


def _workers(axis: Any, hour: Hour) -> None:
    axis.stackplot(_minutes(), hour.live, hour.bulk, colors=[LIVE, BULK], labels=["live", "bulk"])
    capacity = hour.scenario.capacity(seconds())
    if capacity.min() < BOUNDS.total:
        axis.plot(_minutes(), capacity, color="black", lw=1, ls=":")
        axis.text(20, 80, "not there", fontsize=8, ha="center")
    axis.set_ylim(0, BOUNDS.total)


def _ages(axis: Any, hour: Hour, without: Hour) -> None:
    _shade(axis, hour)
    axis.plot(_minutes(), without.age_s + 0.5, color=WITHOUT, lw=1.4, label="fixed shares 10 : 90")
    axis.plot(_minutes(), hour.age_s + 0.5, color=LIVE, lw=1.4, label="balanced")
    axis.axhline(BOUNDS.age_target_s, color="black", lw=0.8, ls="--", label="target")
    axis.set_yscale("log")
    axis.set_ylim(0.4, 5000)


def _backfill(axis: Any, hour: Hour, without: Hour) -> None:
    axis.plot(_minutes(), without.bulk_backlog / 1000, color=WITHOUT, lw=1.2)
    axis.plot(_minutes(), hour.bulk_backlog / 1000, color="#5b8c5a", lw=1.4)
    axis.set_ylim(0, None)
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:.0f}k")


def _shade(axis: Any, hour: Hour) -> None:
    """Where steps of degradation are in force, the deeper the more."""
    for level in range(1, int(hour.level.max()) + 1):
        axis.fill_between(
            _minutes(), 0.4, 5000, where=hour.level >= level, color=EASED, alpha=SHADE, lw=0, step="post"
        )
    if hour.level.max():
        first = float(_minutes()[hour.level > 0][0])
        axis.text(first, 1200, " degraded", color=EASED, fontsize=8)


def _tidy(figure: Any, axes: Any) -> None:
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", color="#eeeeee", lw=0.8)
        axis.set_axisbelow(True)
        axis.set_xlim(0, MINUTES)
        axis.set_xticks(range(0, MINUTES + 1, 15))
    figure.suptitle(
        "The balance controller moves 100 workers between lanes: live stays on time, bulk takes what is free",
        x=0.01,
        ha="left",
        fontsize=13,
    )
    figure.tight_layout(rect=(0, 0, 1, 0.98))


def _minutes() -> Any:
    return seconds() / 60
