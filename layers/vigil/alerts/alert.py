"""Alerts: one for each rule, subject, source and time window."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from vigil.alerts.rules import Rule
from vigil.drops.messages import Drop


@dataclass(frozen=True, slots=True)
class Alert:
    """A sighting that a person must review.

    The id is a hash of rule, subject, source and window, so that repeated frames raise one alert. Windows
    are fixed intervals of event time, so that late and reordered frames have the right window; the frames of
    a clip have one window, however long the clip is.

    subject         id of a person or of an unknown subject, or a label
    sighting_index  of the sighting in the drop
    reviewers       number of different people who must agree before the alert is closed
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
    """The start of the window that contains `at`, as ISO 8601 in UTC."""
    start = int(at.timestamp()) // window_s * window_s
    return datetime.fromtimestamp(start, UTC).isoformat()


def drop_window(drop: Drop, window_s: int) -> str:
    """The window of a drop: its clip, or the interval that contains the time of its event."""
    frame = drop.clip_frame
    return f"clip:{frame.clip}" if frame is not None else window_start(drop.occurred_at, window_s)


def create_alert(rule: Rule, drop: Drop, sighting_index: int, *, subject: str, status: str) -> Alert:
    """The alert that a rule raises for a sighting of the drop."""
    window = drop_window(drop, rule.window_s)
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
