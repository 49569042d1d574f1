"""The plot of `make chaos`: waiting messages, final states and injected faults over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from tests.chaos.harness import Sample
from tests.chaos.scenario import ScenarioResult
from tests.plotting import BAD, BULK, GOOD, LIVE, WARNING, WINDOW, save_png, style_axes

_STATE_COLOURS = {"done": GOOD, "rejected": WARNING, "quarantined": BAD}
_LANE_QUEUES = {"LiveQueueUrl": ("live", LIVE), "BulkQueueUrl": ("bulk", BULK)}
_DEAD_LETTER_QUEUES = ("LiveDeadLettersUrl", "BulkDeadLettersUrl")
_FAULT_FAMILIES = {
    "workers killed": ("killed", "poisoned", "frozen", "out of memory"),
    "AWS refused or failed": ("throttled", "failed", "silent"),
    "messages lost, duplicated, delayed": ("notification", "message"),
    "stale reads, wrong clocks, damaged files": ("stale", "clock", "corrupt"),
}
_FAULT_COLOURS = (BAD, WARNING, "#6a5d8f", "#8a8a8a")


def draw_chaos(result: ScenarioResult, seed: int, path: Path) -> None:
    """Write a PNG with three panels over one time."""
    figure, axes = plt.subplots(3, 1, figsize=(13, 8.5), sharex=True, height_ratios=(3, 3, 2))
    at_s = [sample.at_s for sample in result.samples]
    _draw_backlog(axes[0], at_s, result.samples)
    _draw_final_states(axes[1], at_s, result.samples, result.drops)
    _draw_faults(axes[2], at_s, result.samples)
    for axis in axes:
        axis.axvspan(*result.fault_window_s, **WINDOW)
        axis.set_ylim(0, None)
        axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9, frameon=False)
    axes[0].text(
        sum(result.fault_window_s) / 2,
        axes[0].get_ylim()[1],
        "faults injected",
        ha="center",
        va="top",
        color="#555",
    )
    axes[0].set_title(f"{result.drops} drops under all faults at once (seed {seed})", loc="left", fontsize=12)
    axes[2].set_xlabel("seconds")
    style_axes(axes)
    figure.align_ylabels()
    figure.tight_layout()
    save_png(figure, path)


def _draw_backlog(axis: Any, at_s: Sequence[float], samples: Sequence[Sample]) -> None:
    for queue, (name, colour) in _LANE_QUEUES.items():
        axis.plot(at_s, [sample.backlog[queue] for sample in samples], color=colour, lw=1.6, label=name)
    dead = [sum(sample.backlog[queue] for queue in _DEAD_LETTER_QUEUES) for sample in samples]
    axis.plot(at_s, dead, color=BAD, lw=1.6, label="dead letters")
    axis.set_ylabel("messages waiting")


def _draw_final_states(axis: Any, at_s: Sequence[float], samples: Sequence[Sample], drops: int) -> None:
    series = [[sample.final_states.get(end, 0) for sample in samples] for end in _STATE_COLOURS]
    axis.stackplot(
        at_s, series, colors=list(_STATE_COLOURS.values()), labels=list(_STATE_COLOURS), alpha=0.85
    )
    axis.axhline(drops, color="black", lw=0.8, ls="--", label="all drops")
    axis.set_ylabel("completed drops")


def _draw_faults(axis: Any, at_s: Sequence[float], samples: Sequence[Sample]) -> None:
    for (name, words), colour in zip(_FAULT_FAMILIES.items(), _FAULT_COLOURS, strict=True):
        axis.plot(
            at_s, [_count_faults(sample, words) for sample in samples], color=colour, lw=1.6, label=name
        )
    axis.set_ylabel("faults so far")


def _count_faults(sample: Sample, words: Sequence[str]) -> int:
    return sum(count for kind, count in sample.faults.items() if any(word in kind for word in words))
