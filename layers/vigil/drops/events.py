"""Turns stored outcomes into CloudEvents, and republishes those that could not be published."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Protocol

from vigil.drops.ledger import DropNotes
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
    """A period in which events may not have been published.

    position  the time up to which an earlier run published them; None if none did
    """

    since: datetime
    until: datetime
    receipt: str
    id: str = ""
    position: datetime | None = None


REPUBLISHED_PAGE = 250
"""Events that are published before the time is checked."""


class UnpublishedQueue(Protocol):
    """The periods that the publish function could not publish. All raise Transient."""

    def receive(self) -> Sequence[UnpublishedInterval]: ...

    def facts_in(
        self, interval: UnpublishedInterval
    ) -> Iterator[tuple[datetime, DropCompleted | ReleaseStageChanged | AlertRaised]]:
        """The facts of the period from its position on, published or not, by the time of their completion."""

    def save_position(self, interval: UnpublishedInterval, position: datetime) -> None:
        """The next run continues at this time."""

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


@dataclass(frozen=True, slots=True)
class UnpublishedService:
    """Publishes all events of the periods in the queue again, with the same ids.

    A period that fails, or that takes longer than there is time, stays in the queue and stops no other one.
    """

    queue: UnpublishedQueue
    publisher: EventPublisher
    notes: DropNotes
    origin: str
    clock: Callable[[], datetime]
    has_time: Callable[[], bool]

    def run(self) -> UnpublishedReport:
        completed, failed = 0, 0
        for interval in self.queue.receive():
            try:
                is_complete = self._publish_interval(interval)
            except VigilError:
                is_complete = False
            completed, failed = completed + is_complete, failed + (not is_complete)
        return UnpublishedReport(completed, failed)

    def _publish_interval(self, interval: UnpublishedInterval) -> bool:
        """Whether all events were published; page by page, and the next run continues after the last page."""
        found = self.queue.facts_in(interval)
        while page := list(islice(found, REPUBLISHED_PAGE)):
            facts = [fact for _, fact in page]
            events = [to_cloud_event(fact, origin=self.origin) for fact in facts]
            if self.publisher.publish([(str(one.event["id"]), one) for one in events]):
                return False
            _note_republished(interval, facts, self.notes, self.clock())
            if len(page) == REPUBLISHED_PAGE and not self.has_time():
                self.queue.save_position(interval, page[-1][0])
                return False
        self.queue.delete(interval)
        return True


def _note_republished(
    interval: UnpublishedInterval,
    facts: Iterable[DropCompleted | ReleaseStageChanged | AlertRaised],
    notes: DropNotes,
    now: datetime,
) -> None:
    """Note at each completed drop that its event was published again."""
    reason = (
        f"events from {interval.since.isoformat()} to {interval.until.isoformat()} could not be published"
    )
    for drop in (fact.drop for fact in facts if isinstance(fact, DropCompleted)):
        notes.add_note(drop, action="republished", reason=reason, now=now)
