"""Colours, axes and PNG files that the plots of all harnesses share."""

from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, MUTED = "#1a202c", "#9aa7b4"
LIVE, BULK, BACKFILL = "#0b6e99", "#8fb8a8", "#5b8c5a"
GOOD, WARNING, BAD = "#2f855a", "#d9822b", "#b03a48"
WINDOW = {"color": "#444444", "alpha": 0.07, "lw": 0}
"""The shade of a time window, such as warm-up or injected faults."""


def style_axes(axes: Iterable[Axes]) -> None:
    """Remove the top and right border."""
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)


def save_png(figure: Figure, path: Path) -> None:
    """Write the figure at 120 dots per inch, create its folder, and close the figure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
