"""What the active release shows while it answers, by drop and summed up, beside what it showed in canary."""

from collections.abc import Iterable
from dataclasses import dataclass

MIN_SAMPLES = 20
"""The newest so many looks tell how it is now."""

SLOW_FACTOR = 3.0
ALWAYS_FAST_MS = 10.0
"""So fast is fast enough, whatever it was before."""


@dataclass(frozen=True, slots=True)
class ExpectedHealth:
    """What a release showed in canary.

    ms      95th percentile of its time for a drop
    unsure  share of drops in which it knew nothing, 0 to 1
    """

    latency_ms: float
    unrecognised_share: float


@dataclass(frozen=True, slots=True)
class HealthSample:
    """The active release on one drop; `unsure` that it knew nothing in it."""

    model: str
    release: str
    latency_ms: float
    failed: bool
    nothing_recognised: bool


@dataclass(frozen=True, slots=True)
class HealthCounts:
    """Of some time: looks that gave an answer, of them slow ones and unsure ones; drops that it broke on."""

    samples: int = 0
    slow: int = 0
    unrecognised: int = 0
    failed_drops: int = 0


def is_slow(sample: HealthSample, expected: ExpectedHealth | None) -> bool:
    return expected is not None and sample.latency_ms > max(SLOW_FACTOR * expected.latency_ms, ALWAYS_FAST_MS)


def unrecognised_increase(sample: HealthSample, expected: ExpectedHealth | None) -> float:
    """How much more unsure than in canary: 0 on the mean, while nothing changes."""
    return sample.nothing_recognised - expected.unrecognised_share if expected else 0.0


def latest(intervals: Iterable[HealthCounts]) -> HealthCounts:
    """The sum of the newest stretches, as few as hold looks enough; `stretches` from the newest back."""
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
