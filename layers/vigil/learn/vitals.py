"""What the active release shows while it answers, by drop and summed up, beside what it showed in canary."""

from collections.abc import Iterable
from dataclasses import dataclass

LOOKS = 20
"""The newest so many looks tell how it is now."""

TIMES_SLOWER = 3.0
FREE_MS = 10.0
"""So fast is fast enough, whatever it was before."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a release showed in canary.

    ms      95th percentile of its time for a drop
    unsure  share of drops in which it knew nothing, 0 to 1
    """

    ms: float
    unsure: float


@dataclass(frozen=True, slots=True)
class Vital:
    """The active release on one drop; `unsure` that it knew nothing in it."""

    model: str
    release: str
    ms: float
    broke: bool
    unsure: bool


@dataclass(frozen=True, slots=True)
class Vitals:
    """Of some time: looks that gave an answer, of them slow ones and unsure ones; drops that it broke on."""

    looks: int = 0
    slow: int = 0
    unsure: int = 0
    broke: int = 0


def is_slow(vital: Vital, expected: Expected | None) -> bool:
    return expected is not None and vital.ms > max(TIMES_SLOWER * expected.ms, FREE_MS)


def rise(vital: Vital, expected: Expected | None) -> float:
    """How much more unsure than in canary: 0 on the mean, while nothing changes."""
    return vital.unsure - expected.unsure if expected else 0.0


def newest(stretches: Iterable[Vitals]) -> Vitals:
    """The sum of the newest stretches, as few as hold looks enough; `stretches` from the newest back."""
    looks = slow = unsure = 0
    for one in stretches:
        looks, slow, unsure = looks + one.looks, slow + one.slow, unsure + one.unsure
        if looks >= LOOKS:
            break
    return Vitals(looks, slow, unsure)
