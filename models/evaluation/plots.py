"""Plots of an evaluation as SVG text for a page."""

import io
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, PercentFormatter
from numpy.typing import NDArray

from models.evaluation.identification import SearchScores
from models.evaluation.metrics import ClassifierEvaluation, Curve, Figures, ReliabilityTable


def to_svg(figure: Figure) -> str:
    """SVG without date and random ids, so that equal reports are equal files."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()[text.getvalue().index("<svg") :]


INK_COLOUR, MUTED_COLOUR, BACKGROUND_COLOUR = "#1f4e79", "#9aa7b4", "#ffffff"
CURVE_COLOURS = (
    *("#1f4e79", "#c0504d", "#4f8f4f", "#7f5fa8", "#c98a1b", "#2f8f9d"),
    *("#8c564b", "#d977a8", "#6b7785", "#a3b23a", "#5aa9e6", "#1b1b1b"),
)

MAX_LABELLED_CURVES = 10


def plot_roc(evaluation: ClassifierEvaluation) -> str:
    figure, axes = _new_axes("False positive rate", "Recall")
    axes.plot([0, 1], [0, 1], color=MUTED_COLOUR, linewidth=0.8, linestyle=":")
    _draw_curves(axes, evaluation.roc, "AUC")
    return to_svg(figure)


def plot_pairs_roc(genuine: NDArray[np.float64], impostor: NDArray[np.float64]) -> str:
    """True match rate of (G,) genuine scores against the false match rate of (I,) impostor scores."""
    figure, axes = _new_axes("False match rate", "True match rate")
    rates = np.geomspace(1 / len(impostor), 1, 200)
    thresholds = np.quantile(impostor, 1 - rates)
    axes.set_xscale("log")
    axes.set_xlim(rates[0], 1)
    axes.plot(rates, [(genuine >= one).mean() for one in thresholds], color=INK_COLOUR, linewidth=1.6)
    return to_svg(figure)


def plot_precision_recall(evaluation: ClassifierEvaluation) -> str:
    figure, axes = _new_axes("Recall", "Precision")
    _draw_curves(axes, {label: _from_first_hit(curve) for label, curve in evaluation.pr.items()}, "AP")
    return to_svg(figure)


def plot_confusion(evaluation: ClassifierEvaluation) -> str:
    """Colours are shares of each actual class, so that rare classes are visible; numbers are counts."""
    labels, counts = evaluation.labels, evaluation.confusion
    figure, axes = _new_axes("Predicted", "Actual")
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
            ink = BACKGROUND_COLOUR if shares[row, column] > 0.5 else INK_COLOUR
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=ink, fontsize=8)
    return to_svg(figure)


def plot_reliability(measured: ReliabilityTable) -> str:
    figure, axes = _new_axes("Confidence", "Accuracy")
    axes.plot([0, 1], [0, 1], color=MUTED_COLOUR, linewidth=0.8, linestyle=":")
    largest_count = max(bin_.count for bin_ in measured.bins)
    for part in measured.bins:
        size = 20 + 180 * part.count / largest_count
        axes.scatter(
            [part.confidence],
            [part.accuracy],
            s=size,
            color=INK_COLOUR,
            alpha=0.75,
            linewidths=0,
            clip_on=False,
        )
    axes.plot(
        [p.confidence for p in measured.bins],
        [p.accuracy for p in measured.bins],
        color=INK_COLOUR,
        linewidth=1,
    )
    return to_svg(figure)


def plot_slices(values: Mapping[str, Figures], name: str) -> str:
    """One metric of each slice with its interval."""
    figure, axes = _new_axes(name.replace("_", " "), "", height=0.9 + 0.4 * len(values))
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.set_yticks(range(len(values)), list(values))
    for row, figures in enumerate(values.values()):
        figure_ = figures[name]
        axes.plot([figure_.low, figure_.high], [row, row], color=INK_COLOUR, linewidth=2)
        axes.plot([figure_.value], [row], "o", color=INK_COLOUR)
        axes.text(0.02, row, f"{figure_.value:.3f}", va="center", color=MUTED_COLOUR, fontsize=8)
    return to_svg(figure)


def plot_detection_error(searches: SearchScores) -> str:
    """FNIR against FPIR on logarithmic axes, down to one probe."""
    unenrolled_scores = np.sort(searches.nonmated[~searches.is_enrolled])[::-1]
    mate_scores = np.where(searches.mated > searches.nonmated, searches.mated, -np.inf)[searches.is_enrolled]
    fpir = np.arange(1, len(unenrolled_scores) + 1) / len(unenrolled_scores)
    fnir = np.array([(mate_scores < threshold).mean() for threshold in unenrolled_scores])
    figure, axes = _new_axes("FPIR: unenrolled subjects identified", "FNIR: enrolled subjects not identified")
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=None))
        axis.set_minor_formatter(NullFormatter())
    axes.set_xlim(1 / max(len(unenrolled_scores), 2), 1)
    axes.set_ylim(1 / max(len(mate_scores), 2), 1)
    axes.plot(
        fpir,
        np.maximum(fnir, 1 / max(len(mate_scores), 2)),
        color=INK_COLOUR,
        linewidth=1.6,
        drawstyle="steps-post",
    )
    return to_svg(figure)


def _draw_curves(axes: Axes, curves: Mapping[str, Curve], area: str) -> None:
    """Only the worst curves are named."""
    worst = sorted(curves, key=lambda label: curves[label].area)[:MAX_LABELLED_CURVES]
    for n, (label, curve) in enumerate(curves.items()):
        named = f"{label}: {area} {curve.area:.3f}" if label in worst else None
        colour = CURVE_COLOURS[n % len(CURVE_COLOURS)]
        axes.plot(curve.x, curve.y, color=colour, linewidth=1.6, label=named, clip_on=False)
    axes.legend(loc="lower left" if area == "AP" else "lower right", frameon=False, fontsize=8)


def _from_first_hit(curve: Curve) -> Curve:
    """Without the point without predictions, whose precision is undefined."""
    return Curve(curve.x[1:], curve.y[1:], curve.threshold[1:], curve.area)


def _new_axes(across: str, up: str, height: float = 3.8) -> tuple[Figure, Axes]:
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
