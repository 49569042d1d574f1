"""A soak over time: memory of each process, and drops without an end."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt

from infra.soak.verdict import processes
from infra.soak.watch import WARMING, Look, series

_COLOURS = (*mpl.colormaps["tab20"].colors[::2], *mpl.colormaps["tab20"].colors[1::2])  # type: ignore[attr-defined]


def draw(looks: Sequence[Look], path: Path) -> None:
    """Write a PNG."""
    figure, (memory, open_) = plt.subplots(2, 1, figsize=(11, 7), sharex=True, height_ratios=(3, 1))
    lines = {process: series(looks, process) for process in processes(looks)}
    largest_first = sorted(lines, key=lambda process: -lines[process][1][-1])
    for process, colour in zip(largest_first, cycle(_COLOURS), strict=False):
        at_s, mb = lines[process]
        memory.plot([at / 60 for at in at_s], mb, lw=1.3, marker=".", ms=1.6, label=process, color=colour)
    minutes = [look.at_s / 60 for look in looks]
    open_.fill_between(minutes, [look.unfinished for look in looks], color="#0b6e99", alpha=0.4, lw=0)
    memory.set_ylabel("resident, MB")
    memory.set_title(f"{looks[-1].drops} drops at a steady rate", loc="left")
    memory.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=9, frameon=False)
    memory.set_ylim(0, None)
    memory.text(minutes[-1] * WARMING / 2, 4, "warming up", color="#666666", fontsize=9, ha="center")
    open_.set_ylabel("drops without an end")
    open_.set_ylim(0, None)
    open_.set_xlabel("minutes")
    for axis in (memory, open_):
        axis.axvspan(0, minutes[-1] * WARMING, color="#444444", alpha=0.07, lw=0)
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
