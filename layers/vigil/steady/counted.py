"""What the containers of a lane count, and what the minute's decisions are made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Counted:
    """A short stretch of a lane's time: deliveries, seconds spent on them, failures by dependency."""

    at: datetime
    calls: int
    seconds: float
    failures: Mapping[str, int] = field(default_factory=dict)
    age_s: float = 0.0
