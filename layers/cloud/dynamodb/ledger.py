"""Port Ledger in the records table: drops, sightings and alerts, with one transaction for each result."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from cloud.dynamodb.attributes import Item, from_item, to_attribute, to_item
from cloud.dynamodb.queries import Table
from cloud.dynamodb.schema import (
    ALERT,
    SIGHTING,
    SUPPRESSION,
    completed_key,
    drop_key,
    listing_attributes,
)
from cloud.dynamodb.unknown_subjects import read_window, stored_faces_writes, window_writes
from cloud.errors import CONDITION_FAILED, error_code, repeat_conflicts, translate_errors
from vigil.alerts.alert import Alert
from vigil.alerts.unknown_subjects import UnknownSubjects
from vigil.drops.ledger import (
    MAX_LEASE,
    AlreadyCompleted,
    Lease,
    LeaseHeld,
    LeaseLost,
    ProcessingResult,
    SubjectBeingErased,
)
from vigil.drops.messages import Drop, InvalidMessage, S3Object
from vigil.errors import ConcurrentUpdate
from vigil.inference.types import Prediction, Sighting

_MAX_TRANSACTION_ITEMS = 100
_RESERVED_ITEMS = 3
"""Of a transaction: the drop's row, the revision of a window's unknown subjects, and the stored faces."""

_OWNED_BY_LEASE = "#state = :claimed AND #owner = :owner"
_CLAIM_NAMES = {"#state": "state", "#owner": "owner", "#until": "until", "#error": "error"}
_CLAIMABLE = "attribute_not_exists(pk) OR (#state = :claimed AND (#until <= :now OR #until > :beyond))"


class DynamoLedger:
    """The rows DROP, SIGHTING and ALERT of schema.py, and in the table of faces those of unknown people."""

    def __init__(self, client: Any, table: str, faces: str, *, lane: str, retention: timedelta) -> None:
        self._client, self._rows, self._faces = client, Table(client, table), Table(client, faces)
        self._lane, self._retention = lane, retention

    def claim(
        self, drop: Drop | InvalidMessage, *, owner: str, now: datetime, until: datetime
    ) -> Lease | AlreadyCompleted | LeaseHeld:
        initial = _initial_attributes(drop, now, self._lane, self._retention)
        update = {
            "Key": drop_key(drop.id),
            "UpdateExpression": "SET #state = :claimed, #owner = :owner, #until = :until, "
            f"{_assign_if_absent(initial)} REMOVE #error, dependency ADD attempts :one",
            "ConditionExpression": _CLAIMABLE,
            "ExpressionAttributeNames": _CLAIM_NAMES | {f"#{name}": name for name in initial},
            "ExpressionAttributeValues": to_item({f":{name}": value for name, value in initial.items()})
            | to_item({":claimed": "claimed", ":owner": owner, ":until": until.timestamp(), ":one": 1})
            | to_item({":now": now.timestamp(), ":beyond": (now + MAX_LEASE).timestamp()}),
            "ReturnValues": "UPDATED_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        with translate_errors("records", "claim drop"):
            try:
                write = partial(self._client.update_item, TableName=self._rows.name, **update)
                answer = repeat_conflicts(write, "claim drop")
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                return _claim_refusal(from_item(error.response["Item"]))
        return Lease(drop.id, owner, int(answer["Attributes"]["attempts"]["N"]), until)

    def renew(self, lease: Lease, *, stage: str, until: datetime) -> Lease:
        self._update_owned(lease, {"until": until.timestamp(), "stage": stage})
        return Lease(lease.drop_id, lease.owner, lease.attempt, until)

    def release_lease(
        self,
        lease: Lease,
        *,
        stage: str,
        error: str,
        dependency: str | None,
        now: datetime,
        release: str = "",
    ) -> None:
        failure = {"stage": stage, "error": error, "dependency": dependency, "release": release or None}
        try:
            self._update_owned(lease, {"until": now.timestamp(), **failure})
        except LeaseLost:
            return

    def reject(self, lease: Lease, *, reason: str, message: str, stage: str, now: datetime) -> None:
        self._complete(lease, "rejected", {"reason": reason, "message": message, "stage": stage}, now)

    def quarantine(self, lease: Lease, *, reason: str, message: str, stage: str, now: datetime) -> None:
        self._complete(lease, "quarantined", {"reason": reason, "message": message, "stage": stage}, now)

    def alert_capacity(self, prediction: Prediction) -> int:
        sightings = prediction.sightings
        people = self._rows.unless_being_erased(one.label for one in sightings)
        unknown = sum(one.status == "unknown" and one.vector is not None for one in sightings)
        needed = _RESERVED_ITEMS + len(sightings) + len(people) + unknown
        return max(0, _MAX_TRANSACTION_ITEMS - needed)

    def save_result(self, lease: Lease, drop: Drop, result: ProcessingResult, *, now: datetime) -> None:
        expires = int((now + self._retention).timestamp())
        sightings = result.prediction.sightings
        people = self._rows.unless_being_erased(one.label for one in sightings)
        completed = _completed_attributes(drop, result, now)
        writes = [self._rows.update_write(drop_key(drop.id), **_owned_update(lease, completed)), *people]
        for number, sighting in enumerate(sightings):
            writes.append(self._rows.put_write(_sighting_row(drop, number, sighting, now, expires)))
        for alert in result.alerts:
            update = _alert_update(alert, now, expires)
            writes.append(self._rows.update_write(ALERT.key(alert=alert.id), **update))
        if result.unknown_subjects is not None:
            writes += window_writes(self._faces, result.unknown_subjects, now)
        if result.store_unknown_faces:
            writes += stored_faces_writes(self._faces, drop, sightings, now, expires)
        if len(writes) == 1:  # a transaction would cost twice as much
            self._update_owned(lease, completed)
            return
        reasons = self._rows.transact(writes, "save result")
        if reasons:
            raise _transaction_failure(reasons, drop.id, len(people))

    def unknown_subjects(self, source: str, window: str) -> UnknownSubjects:
        return read_window(self._faces, source, window)

    def is_suppressed(self, alert: Alert, *, now: datetime) -> bool:
        key = SUPPRESSION.key(rule=alert.rule, source=alert.source, subject=alert.subject)
        row = self._rows.get(key, "read suppression", consistent=False)
        return row is not None and int(row["until"]) > now.timestamp()

    def _complete(self, lease: Lease, state: str, attributes: Mapping[str, Any], now: datetime) -> None:
        end = {"completed_at": now.isoformat(), "completed_key": completed_key(lease.drop_id)}
        self._update_owned(lease, {"state": state, **attributes, **end})

    def _update_owned(self, lease: Lease, change: Mapping[str, Any]) -> None:
        """Change the drop's row. Raises LeaseLost."""
        update = _owned_update(lease, change)
        if self._rows.update_if(drop_key(lease.drop_id), "update drop", **update) is None:
            raise LeaseLost(f"the lease of {lease.owner} on {lease.drop_id} has ended")


def _claim_refusal(row: Mapping[str, Any]) -> AlreadyCompleted | LeaseHeld:
    if row["state"] == "claimed":
        return LeaseHeld(datetime.fromtimestamp(row["until"], UTC))
    return AlreadyCompleted(row["state"])


def _transaction_failure(
    reasons: list[str], drop: str, people: int
) -> LeaseLost | SubjectBeingErased | ConcurrentUpdate:
    """The first condition is the lease, the next ones are people; the others depend on other drops."""
    if CONDITION_FAILED in reasons[:1]:
        return LeaseLost(f"{drop} was claimed or completed by another worker")
    if CONDITION_FAILED in reasons[1 : 1 + people]:
        return SubjectBeingErased(f"{drop} shows a person whose erasure is in progress")
    return ConcurrentUpdate(f"{drop}: {reasons}")


def _assign_if_absent(names: Iterable[str]) -> str:
    """Assignments that only the first write makes."""
    return ", ".join(f"#{name} = if_not_exists(#{name}, :{name})" for name in names)


def _owned_update(lease: Lease, change: Mapping[str, Any]) -> Item:
    """An update whose condition is that the lease still holds; attributes that are None are left alone."""
    present = {name: value for name, value in change.items() if value is not None}
    return {
        "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in present),
        "ConditionExpression": _OWNED_BY_LEASE,
        "ExpressionAttributeNames": {"#state": "state", "#owner": "owner"} | {f"#{n}": n for n in present},
        "ExpressionAttributeValues": {f":{name}": to_attribute(item) for name, item in present.items()}
        | to_item({":claimed": "claimed", ":owner": lease.owner}),
    }


def _initial_attributes(
    drop: Drop | InvalidMessage, now: datetime, lane: str, retention: timedelta
) -> dict[str, Any]:
    """What the first claim writes."""
    model, source = (drop.model, drop.source) if isinstance(drop, Drop) else ("", "")
    row: dict[str, Any] = {
        "drop_id": drop.id,
        "lane": lane,
        "model": model,
        "source": source,
        "occurred_at": drop.occurred_at.isoformat(),
        "first_claimed_at": now.isoformat(),
        "expires": int((now + retention).timestamp()),
        **listing_attributes("drops", drop.id, now),
    }
    if isinstance(drop.payload, S3Object):
        payload = drop.payload
        row |= {"s3_object": asdict(payload), "object": f"s3://{payload.bucket}/{payload.key}"}
    return row


def _completed_attributes(drop: Drop, result: ProcessingResult, now: datetime) -> dict[str, Any]:
    """With the object in the version that was read, which the first claim may not have known."""
    prediction = result.prediction
    return {
        "s3_object": asdict(drop.payload) if isinstance(drop.payload, S3Object) else None,
        "state": "done",
        "release": result.release,
        "sightings": len(prediction.sightings),
        "found": prediction.found,
        "alerts": len(result.alerts),
        "size_px": list(prediction.size_px) if prediction.size_px else None,
        "notes": dict(prediction.notes),
        "times_ms": dict(result.times_ms),
        "completed_at": now.isoformat(),
        "completed_key": completed_key(drop.id),
    }


def _sighting_row(drop: Drop, number: int, sighting: Sighting, now: datetime, expires: int) -> Item:
    """A sighting without its vector, which is biometric data."""
    return SIGHTING.key(drop=drop.id, number=number) | to_item(
        {
            "drop_id": drop.id,
            "model": drop.model,
            "source": drop.source,
            "occurred_at": drop.occurred_at.isoformat(),
            "label": sighting.label,
            "status": sighting.status,
            "score": sighting.score,
            "threshold": sighting.threshold,
            "box_px": list(sighting.box_px) if sighting.box_px else None,
            "quality": sighting.quality,
            "quality_issues": list(sighting.quality_issues) or None,
            "tags": sighting.tags,
            "value": sighting.value,
            "text": sighting.text,
            "row": sighting.row,
            "span_s": list(sighting.span_s) if sighting.span_s else None,
            "subject": sighting.label if sighting.status == "known" else None,
            "expires": expires,
            **listing_attributes("sightings", f"{drop.id}#{number:03}", now),
        }
    )


def _alert_update(alert: Alert, now: datetime, expires: int) -> Item:
    """Raise the alert, or count another drop; it has no condition, so that two drops never conflict."""
    attributes = {
        "alert_id": alert.id,
        "rule": alert.rule,
        "severity": alert.severity,
        "subject_id": alert.subject,
        "status": alert.status,
        "model": alert.model,
        "source": alert.source,
        "window": alert.window,
        "occurred_at": alert.occurred_at.isoformat(),
        "drop_id": alert.drop,
        "sighting": alert.sighting_index,
        "subject": alert.subject if alert.status == "known" else None,
        "review": "open",
        "reviewers": alert.reviewers,
        "expires": expires,
        **listing_attributes("alerts", alert.id, now),
    }
    first = {name: value for name, value in attributes.items() if value is not None}
    return {
        "UpdateExpression": f"SET {_assign_if_absent(first)}, last_at = :last ADD drops :one",
        "ExpressionAttributeNames": {f"#{name}": name for name in first},
        "ExpressionAttributeValues": {f":{name}": to_attribute(item) for name, item in first.items()}
        | to_item({":last": alert.occurred_at.isoformat(), ":one": 1}),
    }
