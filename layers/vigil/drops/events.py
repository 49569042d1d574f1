"""A stored outcome told to the world: a drop's end, an alert, a release's new stage."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from vigil.drops.ledger import DropNotes
from vigil.drops.messages import compute_drop_id


@dataclass(frozen=True, slots=True)
class DropCompleted:
    """A drop that reached its end, as the ledger keeps it. `where` is bucket, key and version, or empty."""

    drop: str
    state: str
    model: str
    source: str
    reason: str
    release: str
    sightings: int
    alerts: int
    occurred_at: datetime
    object_ref: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AlertRaised:
    """A new alert, as it was first kept."""

    alert: str
    rule: str
    severity: str
    status: str
    source: str
    model: str
    drop: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class ReleaseStageChanged:
    """A release that came to another stage; `number` counts its steps, `data` and `parent` may be empty."""

    model: str
    release: str
    stage: str
    step: str
    reasons: tuple[str, ...]
    sequence: int
    data: str
    parent: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class OutboundEvent:
    """A CloudEvent (JSON, structured mode) and the attributes that subscribers filter by.

    The event's id is that of what it tells, so a subscriber who hears it twice can know.
    """

    event: Mapping[str, Any]
    attributes: Mapping[str, str]


def to_cloud_event(fact: DropCompleted | ReleaseStageChanged | AlertRaised, *, origin: str) -> OutboundEvent:
    """The event for a fact; `origin` is the deployment, as a URI reference.

    References and ids, never a name, a face or a vector.
    """
    event_type, severity, event_id, data = _event_fields(fact)
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": origin,
        "type": event_type,
        "time": fact.occurred_at.isoformat(),
        "subject": fact.release if isinstance(fact, ReleaseStageChanged) else fact.drop,
        "datacontenttype": "application/json",
        "data": data,
    }
    attributes = {
        "type": event_type,
        "severity": severity,
        "source": data.get("source", ""),
        "model": fact.model,
    }
    return OutboundEvent(event, {name: value for name, value in attributes.items() if value})


def _event_fields(
    fact: DropCompleted | ReleaseStageChanged | AlertRaised,
) -> tuple[str, str, str, dict[str, Any]]:
    """(type, severity, id, data)"""
    match fact:
        case DropCompleted():
            return _drop_completed_fields(fact)
        case AlertRaised():
            return _alert_raised_fields(fact)
    return _stage_changed_fields(fact)


def _stage_changed_fields(fact: ReleaseStageChanged) -> tuple[str, str, str, dict[str, Any]]:
    """(type, severity, id, data)"""
    data: dict[str, Any] = {
        "model": fact.model,
        "release": fact.release,
        "stage": fact.stage,
        "step": fact.step,
        "reasons": list(fact.reasons),
    }
    known = {"data": fact.data, "parent": fact.parent}
    severity = "warning" if fact.stage in ("rejected", "rolled-back") else "info"
    event_id = f"{fact.model}.{fact.release}.{fact.sequence}"
    return f"vigil.release.{fact.stage}", severity, event_id, data | {k: v for k, v in known.items() if v}


def _drop_completed_fields(fact: DropCompleted) -> tuple[str, str, str, dict[str, Any]]:
    """(type, severity, id, data)"""
    data: dict[str, Any] = {
        "drop": fact.drop,
        "state": fact.state,
        "model": fact.model,
        "source": fact.source,
        "sightings": fact.sightings,
        "alerts": fact.alerts,
    }
    known = {"reason": fact.reason, "release": fact.release, "object": dict(fact.object_ref)}
    severity = "info" if fact.state == "done" else "warning"
    event_id = f"{fact.drop}.{fact.state}"
    return f"vigil.drop.{fact.state}", severity, event_id, data | {k: v for k, v in known.items() if v}


def _alert_raised_fields(fact: AlertRaised) -> tuple[str, str, str, dict[str, Any]]:
    """(type, severity, id, data)"""
    data = {
        "alert": fact.alert,
        "rule": fact.rule,
        "severity": fact.severity,
        "status": fact.status,
        "source": fact.source,
        "model": fact.model,
        "drop": fact.drop,
    }
    return "vigil.alert.raised", fact.severity, fact.alert, data


# MERGED: Outcomes that could not be published, told again once the topic takes them.


@dataclass(frozen=True, slots=True)
class UnpublishedInterval:
    """A stretch of time in which something may not have been told."""

    since: datetime
    until: datetime
    receipt: str


class UnpublishedQueue(Protocol):
    """What the publishing function gave up on. All raise Transient."""

    def receive(self) -> Sequence[UnpublishedInterval]: ...

    def facts_in(
        self, interval: UnpublishedInterval
    ) -> Iterable[DropCompleted | ReleaseStageChanged | AlertRaised]:
        """All that became true in it, whether it was told or not."""

    def delete(self, interval: UnpublishedInterval) -> None: ...


class EventPublisher(Protocol):
    """Where facts are told. Raises Transient."""

    def publish(self, events: Sequence[tuple[str, OutboundEvent]]) -> str:
        """The first mark that was not taken, or ""."""


def republish(
    queue: UnpublishedQueue,
    publisher: EventPublisher,
    notes: DropNotes,
    *,
    origin: str,
    clock: Callable[[], datetime],
) -> int:
    """How many gaps were closed. What had been told is told again, under the same id, and noted beside it."""
    closed = 0
    for interval in queue.receive():
        facts = list(queue.facts_in(interval))
        events = [to_cloud_event(fact, origin=origin) for fact in facts]
        if publisher.publish([(str(one.event["id"]), one) for one in events]):
            continue
        _note_republished(interval, facts, notes, clock())
        queue.delete(interval)
        closed += 1
    return closed


def _note_republished(
    interval: UnpublishedInterval,
    facts: Iterable[DropCompleted | ReleaseStageChanged | AlertRaised],
    notes: DropNotes,
    now: datetime,
) -> None:
    """A gap in which nothing had come true has its line under an id of its own."""
    reason = (
        f"what was to be told from {interval.since.isoformat()} to {interval.until.isoformat()} could not be"
    )
    drops = [fact.drop for fact in facts if isinstance(fact, DropCompleted)]
    for drop in drops or [compute_drop_id("unpublished", interval.since.isoformat())]:
        notes.add_note(drop, action="republished", reason=reason, now=now)
