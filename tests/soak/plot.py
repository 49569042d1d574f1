"""A soak over time: memory of each process, and drops without an end."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt

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
    minutes = [look.at_s / 60 for look in samples]
    open_axes.fill_between(minutes, [look.unfinished for look in samples], color="#0b6e99", alpha=0.4, lw=0)
    memory_axes.set_ylabel("resident, MB")
    memory_axes.set_title(f"{samples[-1].uploaded} drops at a steady rate", loc="left")
    memory_axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=9, frameon=False)
    memory_axes.set_ylim(0, None)
    memory_axes.text(
        minutes[-1] * WARM_UP_SHARE / 2, 4, "warming up", color="#666666", fontsize=9, ha="center"
    )
    open_axes.set_ylabel("drops without an end")
    open_axes.set_ylim(0, None)
    open_axes.set_xlabel("minutes")
    for axis in (memory_axes, open_axes):
        axis.axvspan(0, minutes[-1] * WARM_UP_SHARE, color="#444444", alpha=0.07, lw=0)
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
