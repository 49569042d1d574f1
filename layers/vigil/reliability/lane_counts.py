"""Calls of a lane in a time bucket, and the dependency that each failure is counted against."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

TRANSIENT = "Transient"
"""The kind of every error that time may mend: records keep its family's name, not its own."""


DEPENDENCY_BY_PREFIX = (
    ("read object", "photos"),
    ("read watch file", "store"),
    ("read gallery pointer", "people"),
    ("read gallery", "store"),
    ("claim", "records"),
    ("write", "records"),
    ("keep", "records"),
    ("read strangers", "records"),
    ("list", "records"),
    ("publish", "topic"),
)
"""How a Transient's message begins -> whose failure it is. The first that fits holds."""


def failed_dependency(error_kind: str, message: str) -> str:
    """Whose failure a Transient is, by what was being done; anything else is the model's."""
    if error_kind != TRANSIENT:
        return "model"
    return next((name for doing, name in DEPENDENCY_BY_PREFIX if message.startswith(doing)), "model")


@dataclass(frozen=True, slots=True)
class LaneCounts:
    """A short stretch of a lane's time: deliveries, seconds spent on them, failures by dependency."""

    at: datetime
    calls: int
    seconds: float
    failures: Mapping[str, int] = field(default_factory=dict)
    age_s: float = 0.0
