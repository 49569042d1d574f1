"""The lanes, and the calls and failures of a lane in one time bucket."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

LANES = ("live", "bulk")


@dataclass(frozen=True, slots=True)
class LaneCounts:
    """One time bucket of a lane.

    at        when the bucket began
    calls     deliveries of drops
    seconds   that workers spent on them
    failures  deliveries that failed, by the dependency that they are counted against
    age_s     of the oldest message received
    """

    at: datetime
    calls: int
    seconds: float
    failures: Mapping[str, int] = field(default_factory=dict)
    age_s: float = 0.0
