"""What is looked at while the load runs: the memory of every process, and drops without an end."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from infra.local.cloud import Cloud
from infra.local.process import resident_mb

DATABASE = "database"
"""moto's process: it holds the rows and messages of all drops so far."""

WARM_UP_SHARE = 1 / 3
"""The first part of a soak, in which caches fill: it says nothing about growth."""


STARTED_SHARE = 0.75
"""A worker with less than this share of what its like usually have is still loading."""


@dataclass(frozen=True, slots=True)
class SoakSample:
    """One look: seconds since the beginning, megabytes by kind of process, drops put and without an end."""

    at_s: float
    resident_mb: Mapping[str, float]
    uploaded: int
    unfinished: int


def process_memory_mb(local_cloud: Cloud) -> dict[str, float]:
    """Megabytes of the cloud itself, of its database, and of the largest worker of each function."""
    largest_mb: defaultdict[str, float] = defaultdict(float)
    for worker in local_cloud.workers():
        name = worker.function.rsplit("-", 1)[-1]
        largest_mb[name] = max(largest_mb[name], worker.rss_mb)
    cloud = {"cloud": resident_mb(os.getpid()), DATABASE: resident_mb(local_cloud.moto_pid or 0)}
    return {**cloud, **{name: mb for name, mb in largest_mb.items() if mb}}


def growth(at_s: Sequence[float], values: Sequence[float]) -> float:
    """How much a straight line through the values rises from the first to the last, after the warming up."""
    after_warm_up = [
        (at, value) for at, value in zip(at_s, values, strict=True) if at >= at_s[-1] * WARM_UP_SHARE
    ]
    if len(after_warm_up) < 3:
        return 0.0
    times, levels = np.array([at for at, _ in after_warm_up]), np.array([value for _, value in after_warm_up])
    slope = float(np.polyfit(times, levels, 1)[0])
    return slope * float(times[-1] - times[0])


def memory_series(samples: Sequence[SoakSample], process: str) -> tuple[list[float], list[float]]:
    """Times and megabytes of one kind of process, where there was one that had done with starting."""
    measured = [(look.at_s, look.resident_mb[process]) for look in samples if process in look.resident_mb]
    median_mb = float(np.median([mb for _, mb in measured]))
    started = [(at, mb) for at, mb in measured if mb > STARTED_SHARE * median_mb]
    return [at for at, _ in started], [mb for _, mb in started]
