"""The lanes, and the calls and failures of a lane in one time bucket."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zlib import crc32

LANES = ("live", "bulk")

SOURCE_GROUPS = 16
"""Sources are counted in this number of groups, so that a row does not grow with the number of sources."""


def source_group(source: str) -> int:
    """The group of a source: of two sources, one in sixteen shares the group of the other."""
    return crc32(source.encode()) % SOURCE_GROUPS


@dataclass(frozen=True, slots=True)
class FirstAttempts:
    """First deliveries of the drops of one group of sources; failures by dependency.

    Retries and redrives are not counted: one input that fails again and again counts once.
    """

    calls: int
    failures: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LaneCounts:
    """One time bucket of a lane.

    at              when the bucket began
    calls           deliveries of drops
    seconds         that workers spent on them
    failures        deliveries that failed, by the dependency that they are counted against
    age_s           of the oldest message received
    first_attempts  by group of sources
    """

    at: datetime
    calls: int
    seconds: float
    failures: Mapping[str, int] = field(default_factory=dict)
    age_s: float = 0.0
    first_attempts: Mapping[int, FirstAttempts] = field(default_factory=dict)
