"""Turns stored outcomes into CloudEvents, and republishes those that could not be published."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from vigil.drops.ledger import DropNotes
from vigil.drops.messages import compute_drop_id
from vigil.errors import VigilError


@dataclass(frozen=True, slots=True)
class DropCompleted:
    """A drop in its final state; `object_ref` is bucket, key and version, or empty."""

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
    """A new alert."""

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
    """A release in another stage; `sequence` counts its changes, `data` and `parent` may be empty."""

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

    The event's id is derived from its subject, so that a subscriber can recognise a repeated event.
    """

    event: Mapping[str, Any]
    attributes: Mapping[str, str]


def to_cloud_event(fact: DropCompleted | ReleaseStageChanged | AlertRaised, *, origin: str) -> OutboundEvent:
    """The event of a fact; `origin` is the deployment, as a URI reference.

    It contains references and ids only, no name, face or vector.
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


@dataclass(frozen=True, slots=True)
class UnpublishedInterval:
    """A period in which events may not have been published."""

    since: datetime
    until: datetime
    receipt: str


class UnpublishedQueue(Protocol):
    """The periods that the publish function could not publish. All raise Transient."""

    def receive(self) -> Sequence[UnpublishedInterval]: ...

    def facts_in(
        self, interval: UnpublishedInterval
    ) -> Iterable[DropCompleted | ReleaseStageChanged | AlertRaised]:
        """All facts of the period, published or not."""

    def delete(self, interval: UnpublishedInterval) -> None: ...


class EventPublisher(Protocol):
    """Publishes events. Raises Transient."""

    def publish(self, events: Sequence[tuple[str, OutboundEvent]]) -> str:
        """Publish (mark, event) pairs in order; the first mark that was not published, or ""."""


@dataclass(frozen=True, slots=True)
class UnpublishedReport:
    """The periods whose events were all published, and those that stay in the queue."""

    republished: int = 0
    unpublished: int = 0


def republish(
    queue: UnpublishedQueue,
    publisher: EventPublisher,
    notes: DropNotes,
    *,
    origin: str,
    clock: Callable[[], datetime],
) -> UnpublishedReport:
    """Publish all events of the periods in the queue, with the same ids.

    A period that fails stays in the queue and stops no other one.
    """
    completed, failed = 0, 0
    for interval in queue.receive():
        try:
            is_complete = _republish_interval(interval, queue, publisher, notes, origin=origin, clock=clock)
        except VigilError:
            is_complete = False
        completed, failed = completed + is_complete, failed + (not is_complete)
    return UnpublishedReport(completed, failed)


def _republish_interval(
    interval: UnpublishedInterval,
    queue: UnpublishedQueue,
    publisher: EventPublisher,
    notes: DropNotes,
    *,
    origin: str,
    clock: Callable[[], datetime],
) -> bool:
    """Whether all events were published."""
    facts = list(queue.facts_in(interval))
    events = [to_cloud_event(fact, origin=origin) for fact in facts]
    if publisher.publish([(str(one.event["id"]), one) for one in events]):
        return False
    _note_republished(interval, facts, notes, clock())
    queue.delete(interval)
    return True


def _note_republished(
    interval: UnpublishedInterval,
    facts: Iterable[DropCompleted | ReleaseStageChanged | AlertRaised],
    notes: DropNotes,
    now: datetime,
) -> None:
    """A period without completed drops is noted under an id of its own."""
    reason = (
        f"events from {interval.since.isoformat()} to {interval.until.isoformat()} could not be published"
    )
    drops = [fact.drop for fact in facts if isinstance(fact, DropCompleted)]
    for drop in drops or [compute_drop_id("unpublished", interval.since.isoformat())]:
        notes.add_note(drop, action="republished", reason=reason, now=now)
