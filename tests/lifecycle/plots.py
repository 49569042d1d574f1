"""The plots of `make lifecycle` as SVG: release timelines, accuracies, confusion matrix."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from models.evaluation.plots import to_svg
from tests.lifecycle.models import LABELS
from tests.plotting import INK, MUTED, style_axes
from vigil.statistics import Interval

STAGE_COLOURS: Mapping[str, str] = {
    "shadow": "#9db8d2",
    "canary": "#e0a526",
    "active": "#3f8f4f",
    "retired": "#d5dbe1",
    "rejected": "#c0504d",
    "rolled-back": "#8c2f2c",
}
RUNNING_STAGES = ("shadow", "canary", "active")
StageTimeline = Sequence[tuple[str, datetime]]
"""(stage, start time)"""


def plot_release_timelines(
    timelines: Mapping[str, StageTimeline], event_times: Sequence[datetime], ended_at: datetime
) -> str:
    """One bar per release; the numbers of the marks are those of the list on the page."""
    figure, axes = _new_axes(9.4, 2.9)
    started_at = min(event_times)
    for row, timeline in enumerate(timelines.values()):
        stage_ends = [since for _, since in timeline[1:]] + [ended_at]
        for (stage, since), until in zip(timeline, stage_ends, strict=True):
            left, width = (since - started_at).total_seconds(), (until - since).total_seconds()
            height = 0.55 if stage in RUNNING_STAGES else 0.14
            axes.barh(row, max(width, 0.4), left=left, height=height, color=STAGE_COLOURS[stage])
    for number, at in enumerate(event_times, 1):
        seconds = (at - started_at).total_seconds()
        axes.axvline(seconds, color=MUTED, linewidth=0.7, linestyle=":")
        axes.text(seconds, -0.6 - 0.26 * (number % 3), str(number), ha="center", fontsize=7, color=INK)
    axes.set_yticks(range(len(timelines)), list(timelines))
    axes.set(
        xlabel="seconds",
        xlim=(-2, (ended_at - started_at).total_seconds() + 1),
        ylim=(len(timelines) - 0.5, -1.35),
    )
    keys = [Patch(color=colour, label=stage) for stage, colour in STAGE_COLOURS.items()]
    axes.legend(
        handles=keys, ncols=6, loc="upper center", bbox_to_anchor=(0.5, -0.2), frameon=False, fontsize=8
    )
    return to_svg(figure)


def plot_accuracies(measured: Mapping[str, Interval], target: float) -> str:
    """Accuracy of each release on the same test pictures, with its 95 % confidence interval."""
    figure, axes = _new_axes(4.4, 3.4)
    for row, (name, interval) in enumerate(measured.items()):
        axes.plot([interval.low, interval.high], [row, row], color=INK, linewidth=2)
        axes.plot([interval.value], [row], "o", color=INK)
        text_x, alignment = (
            (interval.high + 0.02, "left") if interval.value < 0.5 else (interval.low - 0.02, "right")
        )
        axes.text(text_x, row, f"{interval.value:.3f}", ha=alignment, va="center")
        axes.text(0, row - 0.3, name, fontsize=8, color=INK)
    axes.axvline(target, color=MUTED, linewidth=0.8, linestyle="--")
    axes.text(target - 0.01, len(measured) - 0.6, f"target {target:g}", ha="right", fontsize=8, color=INK)
    axes.set(xlim=(0, 1.02), ylim=(len(measured) - 0.5, -0.7), xlabel="accuracy on test pictures", yticks=[])
    return to_svg(figure)


def plot_confusion(predicted: Sequence[str], actual: Sequence[str]) -> str:
    """Counts; the last column holds predictions below the threshold."""
    columns = [*LABELS, ""]
    counts = np.zeros((len(LABELS), len(columns)), np.int64)
    for one, label in zip(predicted, actual, strict=True):
        counts[LABELS.index(label), columns.index(one if one in LABELS else "")] += 1
    figure, axes = _new_axes(4.4, 3.8)
    axes.imshow(counts / counts.sum(axis=1, keepdims=True), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(counts.shape):
        if counts[row, column]:
            ink = "#ffffff" if row == column else INK
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=ink, fontsize=8)
    axes.set_xticks(range(len(columns)), [*LABELS, "?"])
    axes.set_yticks(range(len(LABELS)), LABELS)
    axes.set(xlabel="predicted", ylabel="actual")
    return to_svg(figure)


def _new_axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    style_axes([axes])
    return figure, axes
