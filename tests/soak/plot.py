"""The plot of `make soak`: memory of each process and unfinished drops over time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

from tests.plotting import LIVE, WINDOW, save_png, style_axes
from tests.soak.checks import process_names
from tests.soak.sampling import WARM_UP_SHARE, SoakSample, memory_series

_PROCESS_COLOURS = (*mpl.colormaps["tab20"].colors[::2], *mpl.colormaps["tab20"].colors[1::2])  # type: ignore[attr-defined]


def draw_soak(samples: Sequence[SoakSample], path: Path) -> None:
    """Write a PNG."""
    figure, (memory_axes, open_axes) = plt.subplots(2, 1, figsize=(11, 7), sharex=True, height_ratios=(3, 1))
    lines = {process: memory_series(samples, process) for process in process_names(samples)}
    largest_first = sorted(lines, key=lambda process: -lines[process][1][-1])
    for process, colour in zip(largest_first, cycle(_PROCESS_COLOURS), strict=False):
        at_s, mb = lines[process]
        memory_axes.plot(
            [at / 60 for at in at_s], mb, lw=1.3, marker=".", ms=1.6, label=process, color=colour
        )
    minutes = [sample.at_s / 60 for sample in samples]
    open_axes.fill_between(minutes, [sample.unfinished for sample in samples], color=LIVE, alpha=0.4, lw=0)
    memory_axes.set_ylabel("resident memory, MB")
    memory_axes.set_title(f"{samples[-1].uploaded} drops at a steady rate", loc="left")
    memory_axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=9, frameon=False)
    memory_axes.set_ylim(0, None)
    memory_axes.text(minutes[-1] * WARM_UP_SHARE / 2, 4, "warm-up", color="#666666", fontsize=9, ha="center")
    open_axes.set_ylabel("unfinished drops")
    open_axes.set_ylim(0, None)
    open_axes.set_xlabel("minutes")
    for axis in (memory_axes, open_axes):
        axis.axvspan(0, minutes[-1] * WARM_UP_SHARE, **WINDOW)
    style_axes((memory_axes, open_axes))
    figure.tight_layout()
    save_png(figure, path)
