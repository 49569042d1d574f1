"""A sighting that a rule picked out, once per subject, source and time window."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from vigil.drops import Drop
from vigil.watch.rules import Rule


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
    at: datetime
    drop: str
    sighting: int
    reviewers: int = 1


def window_of(at: datetime, window_s: int) -> str:
    """The start of the window that `at` falls into, ISO 8601 in UTC."""
    start = int(at.timestamp()) // window_s * window_s
    return datetime.fromtimestamp(start, UTC).isoformat()


def alert(rule: Rule, drop: Drop, sighting: int, *, subject: str, status: str) -> Alert:
    """The alert that a rule raises for the drop's sighting of that number."""
    window = window_of(drop.at, rule.window_s)
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
        at=drop.at,
        drop=drop.id,
        sighting=sighting,
        reviewers=rule.reviewers,
    )
