"""Samples of a soak: memory of every process and unfinished drops."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from infra.local.cloud import Cloud
from infra.local.process import resident_mb

DATABASE = "database"
"""The process of moto, which holds all rows and messages."""

WARM_UP_SHARE = 1 / 3
"""Share of the soak in which caches fill; it is not checked for growth."""


STARTED_SHARE = 0.75
"""A worker with less than this share of the median memory is still starting."""


@dataclass(frozen=True, slots=True)
class SoakSample:
    """One sample: seconds since the start, megabytes by process, uploaded and unfinished drops."""

    at_s: float
    resident_mb: Mapping[str, float]
    uploaded: int
    unfinished: int


def process_memory_mb(local_cloud: Cloud) -> dict[str, float]:
    """Return megabytes of the cloud, of its database, and of the largest worker of each function."""
    largest_mb: defaultdict[str, float] = defaultdict(float)
    for worker in local_cloud.workers():
        name = worker.function.rsplit("-", 1)[-1]
        largest_mb[name] = max(largest_mb[name], worker.rss_mb)
    cloud = {"cloud": resident_mb(os.getpid()), DATABASE: resident_mb(local_cloud.moto_pid or 0)}
    return {**cloud, **{name: mb for name, mb in largest_mb.items() if mb}}


def growth(at_s: Sequence[float], values: Sequence[float]) -> float:
    """Return the rise of a fitted line from the end of warm-up to the last sample."""
    after_warm_up = [
        (at, value) for at, value in zip(at_s, values, strict=True) if at >= at_s[-1] * WARM_UP_SHARE
    ]
    if len(after_warm_up) < 3:
        return 0.0
    times, levels = np.array([at for at, _ in after_warm_up]), np.array([value for _, value in after_warm_up])
    slope = float(np.polyfit(times, levels, 1)[0])
    return slope * float(times[-1] - times[0])


def memory_series(samples: Sequence[SoakSample], process: str) -> tuple[list[float], list[float]]:
    """Return times and megabytes of one process, without samples of starting workers."""
    measured = [(look.at_s, look.resident_mb[process]) for look in samples if process in look.resident_mb]
    median_mb = float(np.median([mb for _, mb in measured]))
    started = [(at, mb) for at, mb in measured if mb > STARTED_SHARE * median_mb]
    return [at for at, _ in started], [mb for _, mb in started]
