"""The life of the releases over time, how they measured, and what the promoted one confuses: as SVG."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from infra.evaluate.svg import as_svg
from infra.learn.first import LABELS
from vigil.learn.interval import Interval

INK, SOFT = "#1c2733", "#9aa7b4"
STAGES: Mapping[str, str] = {
    "shadow": "#9db8d2",
    "canary": "#e0a526",
    "active": "#3f8f4f",
    "retired": "#d5dbe1",
    "rejected": "#c0504d",
    "rolled-back": "#8c2f2c",
}
AT_WORK = ("shadow", "canary", "active")
Course = Sequence[tuple[str, datetime]]
"""(stage, since when)"""


def lives(courses: Mapping[str, Course], marks: Sequence[datetime], ends: datetime) -> str:
    """A bar a release; the marks are numbered as the page's list is."""
    figure, axes = _paper(9.4, 2.9)
    begin = min(marks)
    for row, course in enumerate(courses.values()):
        stops = [since for _, since in course[1:]] + [ends]
        for (stage, since), until in zip(course, stops, strict=True):
            left, width = (since - begin).total_seconds(), (until - since).total_seconds()
            height = 0.55 if stage in AT_WORK else 0.14
            axes.barh(row, max(width, 0.4), left=left, height=height, color=STAGES[stage])
    for number, at in enumerate(marks, 1):
        seconds = (at - begin).total_seconds()
        axes.axvline(seconds, color=SOFT, linewidth=0.7, linestyle=":")
        axes.text(seconds, -0.6 - 0.26 * (number % 3), str(number), ha="center", fontsize=7, color=INK)
    axes.set_yticks(range(len(courses)), list(courses))
    axes.set(
        xlabel="seconds", xlim=(-2, (ends - begin).total_seconds() + 1), ylim=(len(courses) - 0.5, -1.35)
    )
    keys = [Patch(color=colour, label=stage) for stage, colour in STAGES.items()]
    axes.legend(
        handles=keys, ncols=6, loc="upper center", bbox_to_anchor=(0.5, -0.2), frameon=False, fontsize=8
    )
    return as_svg(figure)


def accuracies(measured: Mapping[str, Interval], wanted: float) -> str:
    """Each release on the same held-out pictures, with its 95 % interval."""
    figure, axes = _paper(4.4, 3.4)
    for row, (name, one) in enumerate(measured.items()):
        axes.plot([one.low, one.high], [row, row], color=INK, linewidth=2)
        axes.plot([one.value], [row], "o", color=INK)
        place, side = (one.high + 0.02, "left") if one.value < 0.5 else (one.low - 0.02, "right")
        axes.text(place, row, f"{one.value:.3f}", ha=side, va="center")
        axes.text(0, row - 0.3, name, fontsize=8, color=INK)
    axes.axvline(wanted, color=SOFT, linewidth=0.8, linestyle="--")
    axes.text(wanted - 0.01, len(measured) - 0.6, f"wanted {wanted:g}", ha="right", fontsize=8, color=INK)
    axes.set(
        xlim=(0, 1.02), ylim=(len(measured) - 0.5, -0.7), xlabel="accuracy on held-out pictures", yticks=[]
    )
    return as_svg(figure)


def confusion(said: Sequence[str], meant: Sequence[str]) -> str:
    """Counts; the last column is what was too unsure to be said."""
    columns = [*LABELS, ""]
    counts = np.zeros((len(LABELS), len(columns)), np.int64)
    for one, label in zip(said, meant, strict=True):
        counts[LABELS.index(label), columns.index(one if one in LABELS else "")] += 1
    figure, axes = _paper(4.4, 3.8)
    axes.imshow(counts / counts.sum(axis=1, keepdims=True), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(counts.shape):
        if counts[row, column]:
            ink = "#ffffff" if row == column else INK
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=ink, fontsize=8)
    axes.set_xticks(range(len(columns)), [*LABELS, "?"])
    axes.set_yticks(range(len(LABELS)), LABELS)
    axes.set(xlabel="said", ylabel="meant")
    return as_svg(figure)


def _paper(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
