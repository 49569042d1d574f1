"""A soak over time: memory of each process, and drops without an end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt

from infra.soak.verdict import processes
from infra.soak.watch import WARMING, Look, series


def draw(looks: Sequence[Look], path: Path) -> None:
    """Write a PNG."""
    figure, (memory, open_) = plt.subplots(2, 1, figsize=(11, 7), sharex=True, height_ratios=(3, 1))
    for process in processes(looks):
        at_s, mb = series(looks, process)
        memory.plot([at / 60 for at in at_s], mb, lw=1.6, label=process)
    minutes = [look.at_s / 60 for look in looks]
    open_.fill_between(minutes, [look.unfinished for look in looks], color="#0b6e99", alpha=0.4, lw=0)
    memory.set_ylabel("resident, MB")
    memory.set_title(f"{looks[-1].drops} drops at a steady rate", loc="left")
    memory.legend(loc="upper left", ncols=4, fontsize=9, frameon=False)
    memory.set_ylim(0, memory.get_ylim()[1] * 1.25)
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
