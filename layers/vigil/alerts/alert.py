"""A sighting that a rule picked out, once per subject, source and time window."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from vigil.alerts.rules import Rule
from vigil.drops.messages import Drop


@dataclass(frozen=True, slots=True)
class Alert:
    """For a person to review.

    The id is a hash of rule, subject, source and window: frames that show the same again
    raise the count of one alert. Windows are fixed pieces of the event's own time, so
    late and reordered frames land where they belong.

    subject   an enrolled subject's id, a stranger's, or a label
    sighting  its place among the drop's sightings
    reviewers different people who must agree before it is closed
    """

    id: str
    rule: str
    severity: str
    subject: str
    status: str
    model: str
    source: str
    window: str
    occurred_at: datetime
    drop: str
    sighting_index: int
    reviewers: int = 1


def window_start(at: datetime, window_s: int) -> str:
    """The start of the window that `at` falls into, ISO 8601 in UTC."""
    start = int(at.timestamp()) // window_s * window_s
    return datetime.fromtimestamp(start, UTC).isoformat()


def create_alert(rule: Rule, drop: Drop, sighting_index: int, *, subject: str, status: str) -> Alert:
    """The alert that a rule raises for the drop's sighting of that number."""
    window = window_start(drop.occurred_at, rule.window_s)
    key = "\0".join((rule.name, subject, drop.source, window))
    return Alert(
        id=hashlib.sha256(key.encode()).hexdigest()[:32],
        rule=rule.name,
        severity=rule.severity,
        subject=subject,
        status=status,
        model=drop.model,
        source=drop.source,
        window=window,
        occurred_at=drop.occurred_at,
        drop=drop.id,
        sighting_index=sighting_index,
        reviewers=rule.reviewers,
    )
