"""A stored outcome told to the world: a drop's end, an alert, a release's new stage."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Ended:
    """A drop that reached its end, as the ledger keeps it. `where` is bucket, key and version, or empty."""

    drop: str
    state: str
    model: str
    source: str
    reason: str
    release: str
    sightings: int
    alerts: int
    at: datetime
    where: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Raised:
    """A new alert, as it was first kept."""

    alert: str
    rule: str
    severity: str
    status: str
    source: str
    model: str
    drop: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Moved:
    """A release that came to another stage; `number` counts its steps, `data` and `parent` may be empty."""

    model: str
    release: str
    stage: str
    step: str
    reasons: tuple[str, ...]
    number: int
    data: str
    parent: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Announcement:
    """A CloudEvent (JSON, structured mode) and the attributes that subscribers filter by.

    The event's id is that of what it tells, so a subscriber who hears it twice can know.
    """

    event: Mapping[str, Any]
    attributes: Mapping[str, str]


def announce(fact: Ended | Moved | Raised, *, origin: str) -> Announcement:
    """The event for a fact; `origin` is the deployment, as a URI reference.

    References and ids, never a name, a face or a vector.
    """
    kind, severity, ident, data = _told(fact)
    event = {
        "specversion": "1.0",
        "id": ident,
        "source": origin,
        "type": kind,
        "time": fact.at.isoformat(),
        "subject": fact.release if isinstance(fact, Moved) else fact.drop,
        "datacontenttype": "application/json",
        "data": data,
    }
    attributes = {"type": kind, "severity": severity, "source": data.get("source", ""), "model": fact.model}
    return Announcement(event, {name: value for name, value in attributes.items() if value})


def _told(fact: Ended | Moved | Raised) -> tuple[str, str, str, dict[str, Any]]:
    """(type, severity, id, data)"""
    match fact:
        case Ended():
            return _ended(fact)
        case Raised():
            return _raised(fact)
    return _moved(fact)


def _moved(fact: Moved) -> tuple[str, str, str, dict[str, Any]]:
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
    ident = f"{fact.model}.{fact.release}.{fact.number}"
    return f"vigil.release.{fact.stage}", severity, ident, data | {k: v for k, v in known.items() if v}


def _ended(fact: Ended) -> tuple[str, str, str, dict[str, Any]]:
    """(type, severity, id, data)"""
    data: dict[str, Any] = {
        "drop": fact.drop,
        "state": fact.state,
        "model": fact.model,
        "source": fact.source,
        "sightings": fact.sightings,
        "alerts": fact.alerts,
    }
    known = {"reason": fact.reason, "release": fact.release, "object": dict(fact.where)}
    severity = "info" if fact.state == "done" else "warning"
    ident = f"{fact.drop}.{fact.state}"
    return f"vigil.drop.{fact.state}", severity, ident, data | {k: v for k, v in known.items() if v}


def _raised(fact: Raised) -> tuple[str, str, str, dict[str, Any]]:
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
