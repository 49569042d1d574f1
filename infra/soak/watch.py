"""What is looked at while the load runs: the memory of every process, and drops without an end."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from infra.local.cloud import Cloud
from infra.local.memory import resident_mb

DATABASE = "database"
"""moto's process: it holds the rows and messages of all drops so far."""

WARMING = 1 / 3
"""The first part of a soak, in which caches fill: it says nothing about growth."""


STARTING = 0.75
"""A worker with less than this share of what its like usually have is still loading."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look: seconds since the beginning, megabytes by kind of process, drops put and without an end."""

    at_s: float
    resident_mb: Mapping[str, float]
    drops: int
    unfinished: int


def memory(running: Cloud) -> dict[str, float]:
    """Megabytes of the cloud itself, of its database, and of the largest worker of each function."""
    found: defaultdict[str, float] = defaultdict(float)
    for worker in running.workers():
        name = worker.function.rsplit("-", 1)[-1]
        found[name] = max(found[name], worker.rss_mb)
    cloud = {"cloud": resident_mb(os.getpid()), DATABASE: resident_mb(running.moto_pid or 0)}
    return {**cloud, **{name: mb for name, mb in found.items() if mb}}


def growth(at_s: Sequence[float], values: Sequence[float]) -> float:
    """How much a straight line through the values rises from the first to the last, after the warming up."""
    late = [(at, value) for at, value in zip(at_s, values, strict=True) if at >= at_s[-1] * WARMING]
    if len(late) < 3:
        return 0.0
    times, levels = np.array([at for at, _ in late]), np.array([value for _, value in late])
    slope = float(np.polyfit(times, levels, 1)[0])
    return slope * float(times[-1] - times[0])


def series(looks: Sequence[Look], process: str) -> tuple[list[float], list[float]]:
    """Times and megabytes of one kind of process, where there was one that had done with starting."""
    there = [(look.at_s, look.resident_mb[process]) for look in looks if process in look.resident_mb]
    usual = float(np.median([mb for _, mb in there]))
    whole = [(at, mb) for at, mb in there if mb > STARTING * usual]
    return [at for at, _ in whole], [mb for _, mb in whole]
