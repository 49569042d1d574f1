"""Curves, matrices and intervals as SVG drawings that a page can hold."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, PercentFormatter

from infra.evaluate.svg import as_svg
from vigil.learn.curves import Curve
from vigil.learn.evaluation import Evaluation, Figures
from vigil.learn.identification import Searches
from vigil.learn.reliability import Reliability

INK, SOFT, PAPER = "#1f4e79", "#9aa7b4", "#ffffff"
COLOURS = (
    *("#1f4e79", "#c0504d", "#4f8f4f", "#7f5fa8", "#c98a1b", "#2f8f9d"),
    *("#8c564b", "#d977a8", "#6b7785", "#a3b23a", "#5aa9e6", "#1b1b1b"),
)
"""As many as are ever named in one plot, and two more."""

MOST_NAMED = 10


def roc(evaluation: Evaluation) -> str:
    figure, axes = _paper("False positive rate", "Recall")
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle=":")
    _curves(axes, evaluation.roc, "AUC")
    return as_svg(figure)


def precision_recall(evaluation: Evaluation) -> str:
    figure, axes = _paper("Recall", "Precision")
    _curves(axes, {label: _from_first_hit(curve) for label, curve in evaluation.pr.items()}, "AP")
    return as_svg(figure)


def confusion(evaluation: Evaluation) -> str:
    """Rows are shares of what was meant, so that rare classes show; numbers are counts."""
    labels, counts = evaluation.labels, evaluation.matrix
    figure, axes = _paper("Said", "Meant")
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xlim(-0.5, len(labels) - 0.5)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xticks(
        range(len(labels)), labels, rotation=45 if max(map(len, labels)) * len(labels) > 40 else 0
    )
    axes.set_yticks(range(len(labels)), labels)
    axes.grid(visible=False)
    for row, column in np.ndindex(counts.shape):
        if counts[row, column]:
            ink = PAPER if shares[row, column] > 0.5 else INK
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=ink, fontsize=8)
    return as_svg(figure)


def reliability(found: Reliability) -> str:
    figure, axes = _paper("Confidence", "Share that was right")
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle=":")
    most = max(part.count for part in found.bins)
    for part in found.bins:
        size = 20 + 180 * part.count / most
        axes.scatter(
            [part.confidence], [part.accuracy], s=size, color=INK, alpha=0.75, linewidths=0, clip_on=False
        )
    axes.plot([p.confidence for p in found.bins], [p.accuracy for p in found.bins], color=INK, linewidth=1)
    return as_svg(figure)


def slices(values: Mapping[str, Figures], name: str) -> str:
    """One figure of each slice, with its interval; as high as it has slices."""
    figure, axes = _paper(name.replace("_", " "), "", height=0.9 + 0.4 * len(values))
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.set_yticks(range(len(values)), list(values))
    for row, figures in enumerate(values.values()):
        shown = figures[name]
        axes.plot([shown.low, shown.high], [row, row], color=INK, linewidth=2)
        axes.plot([shown.value], [row], "o", color=INK)
        axes.text(0.02, row, f"{shown.value:.3f}", va="center", color=SOFT, fontsize=8)
    return as_svg(figure)


def detection_error(searches: Searches) -> str:
    """FNIR against FPIR, both on logarithmic axes, as far down as there are probes to show it."""
    strangers = np.sort(searches.other[~searches.enrolled])[::-1]
    own = np.where(searches.mate > searches.other, searches.mate, -np.inf)[searches.enrolled]
    fpir = np.arange(1, len(strangers) + 1) / len(strangers)
    fnir = np.array([(own < threshold).mean() for threshold in strangers])
    figure, axes = _paper("FPIR: strangers taken for somebody", "FNIR: enrolled people missed")
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=None))
        axis.set_minor_formatter(NullFormatter())
    axes.set_xlim(1 / max(len(strangers), 2), 1)
    axes.set_ylim(1 / max(len(own), 2), 1)
    axes.plot(fpir, np.maximum(fnir, 1 / max(len(own), 2)), color=INK, linewidth=1.6, drawstyle="steps-post")
    return as_svg(figure)


def _curves(axes: Axes, curves: Mapping[str, Curve], area: str) -> None:
    """The worst are named where there are many."""
    worst = sorted(curves, key=lambda label: curves[label].area)[:MOST_NAMED]
    for n, (label, curve) in enumerate(curves.items()):
        named = f"{label}: {area} {curve.area:.3f}" if label in worst else None
        colour = COLOURS[n % len(COLOURS)]
        axes.plot(curve.x, curve.y, color=colour, linewidth=1.6, label=named, clip_on=False)
    axes.legend(loc="lower left" if area == "AP" else "lower right", frameon=False, fontsize=8)


def _from_first_hit(curve: Curve) -> Curve:
    """Without the point of no answers at all, whose precision is made up."""
    return Curve(curve.x[1:], curve.y[1:], curve.threshold[1:], curve.area)


def _paper(across: str, up: str, height: float = 3.8) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.6, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.grid(color="#e5e8eb", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
