"""Health of the active release: latency, failures and unrecognised drops, compared with its canary."""

from collections.abc import Iterable
from dataclasses import dataclass

MIN_SAMPLES = 20
"""The number of newest samples that describe the present."""

SLOW_FACTOR = 3.0
ALWAYS_FAST_MS = 10.0
"""A latency that is never slow."""


@dataclass(frozen=True, slots=True)
class ExpectedHealth:
    """The health of a release in its canary stage.

    latency_ms          95th percentile
    unrecognised_share  share of drops in which nothing was recognised, 0 to 1
    """

    latency_ms: float
    unrecognised_share: float


@dataclass(frozen=True, slots=True)
class HealthSample:
    """The active release on one drop."""

    model: str
    release: str
    latency_ms: float
    failed: bool
    nothing_recognised: bool


@dataclass(frozen=True, slots=True)
class HealthCounts:
    """Samples with a result, the slow and the unrecognised ones among them, and drops on which it failed."""

    samples: int = 0
    slow: int = 0
    unrecognised: int = 0
    failed_drops: int = 0


def is_slow(sample: HealthSample, expected: ExpectedHealth | None) -> bool:
    return expected is not None and sample.latency_ms > max(SLOW_FACTOR * expected.latency_ms, ALWAYS_FAST_MS)


def unrecognised_increase(sample: HealthSample, expected: ExpectedHealth | None) -> float:
    """Unrecognised (1 or 0) less the share in canary: 0 on average if nothing has changed."""
    return sample.nothing_recognised - expected.unrecognised_share if expected else 0.0


def latest(intervals: Iterable[HealthCounts]) -> HealthCounts:
    """The sum of the newest intervals, given newest first, until there are MIN_SAMPLES."""
    samples = slow = unrecognised = 0
    for interval in intervals:
        samples, slow, unrecognised = (
            samples + interval.samples,
            slow + interval.slow,
            unrecognised + interval.unrecognised,
        )
        if samples >= MIN_SAMPLES:
            break
    return HealthCounts(samples, slow, unrecognised)
