"""The rows that the ledger writes: what stands in each, and which write each takes."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from botocore.exceptions import ClientError

from cloud.dynamodb.attributes import Item, from_item, to_attribute, to_item
from cloud.dynamodb.erasure_marker import unless_being_erased
from cloud.dynamodb.queries import listing_attributes
from cloud.dynamodb.reviews import suppression_key
from cloud.dynamodb.unknown_subjects import read_window, window_writes
from cloud.errors import (
    CONDITION_FAILED,
    cancellation_reasons,
    error_code,
    translate_errors,
)
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
from vigil.inference.types import Sighting

OWNED_BY_CLAIM = "#state = :claimed AND #owner = :owner"


def drop_key(drop: str) -> Item:
    return to_item({"pk": f"drop#{drop}", "sk": "drop"})


def assign_if_absent(names: Iterable[str]) -> str:
    """Assignments that the first write makes and later ones leave alone."""
    return ", ".join(f"#{name} = if_not_exists(#{name}, :{name})" for name in names)


def owned_update(claim: Lease, change: Mapping[str, Any]) -> Item:
    """An update that holds only for the claim's owner."""
    present = {name: value for name, value in change.items() if value is not None}
    return {
        "Key": drop_key(claim.drop_id),
        "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in present),
        "ConditionExpression": OWNED_BY_CLAIM,
        "ExpressionAttributeNames": {"#state": "state", "#owner": "owner"} | {f"#{n}": n for n in present},
        "ExpressionAttributeValues": {f":{name}": to_attribute(item) for name, item in present.items()}
        | to_item({":claimed": "claimed", ":owner": claim.owner}),
    }


def initial_attributes(
    drop: Drop | InvalidMessage, now: datetime, lane: str, retention: timedelta
) -> dict[str, Any]:
    """What a drop's record says from its first claim on."""
    s3_object = drop.payload if isinstance(drop.payload, S3Object) else None
    model, source = (drop.model, drop.source) if isinstance(drop, Drop) else ("", "")
    rows: dict[str, Any] = {
        "drop_id": drop.id,
        "lane": lane,
        "model": model,
        "source": source,
        "occurred_at": drop.occurred_at.isoformat(),
        "first_claimed_at": now.isoformat(),
        "expires": int((now + retention).timestamp()),
        **listing_attributes("drops", drop.id, now),
    }
    if s3_object is not None:
        rows |= {"s3_object": asdict(s3_object), "object": f"s3://{s3_object.bucket}/{s3_object.key}"}
    return rows


def sighting_row(drop: Drop, number: int, sighting: Sighting, now: datetime, ttl: int) -> Item:
    """A sighting's row. Its vector is not in it: a stored face is a thing to lose."""
    return to_item(
        {
            "pk": f"drop#{drop.id}",
            "sk": f"sighting#{number:03}",
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
            "subject": sighting.label if sighting.status == "known" else None,
            "expires": ttl,
            **listing_attributes("sightings", f"{drop.id}#{number:03}", now),
        }
    )


def alert_update(alert: Alert, now: datetime, ttl: int) -> Item:
    """Raise, or count up: no condition, so that two drops that show the same never collide."""
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
        "expires": ttl,
        **listing_attributes("alerts", alert.id, now),
    }
    first = {name: value for name, value in attributes.items() if value is not None}
    return {
        "Key": to_item({"pk": f"alert#{alert.id}", "sk": "alert"}),
        "UpdateExpression": f"SET {assign_if_absent(first)}, last_at = :last ADD drops :one",
        "ExpressionAttributeNames": {f"#{name}": name for name in first},
        "ExpressionAttributeValues": {f":{name}": to_attribute(item) for name, item in first.items()}
        | to_item({":last": alert.occurred_at.isoformat(), ":one": 1}),
    }


# MERGED: Port Ledger, in the records table: drop, sightings, alerts and strangers, one stream, one
#   transaction.

_LEDGER_NAMES = {"#state": "state", "#owner": "owner", "#until": "until", "#error": "error"}
_CLAIMABLE = "attribute_not_exists(pk) OR (#state = :claimed AND (#until <= :now OR #until > :beyond))"


class DynamoLedger:
    """See the port for the promises. Rows:

    drop#<id>  drop            the drop's one record
    drop#<id>  sighting#<nnn>  each thing seen in it
    alert#<id> alert           raised once, counted up by each drop that shows the same
    strangers#<source>#<window> ...   the window's strangers: `cloud.dynamodb.unknown_subjects`
    """

    def __init__(self, client: Any, table: str, *, lane: str, retention: timedelta) -> None:
        self._client, self._table, self._lane, self._retention = client, table, lane, retention

    def claim(
        self, drop: Drop | InvalidMessage, *, owner: str, now: datetime, until: datetime
    ) -> Lease | AlreadyCompleted | LeaseHeld:
        initial = initial_attributes(drop, now, self._lane, self._retention)
        update = {
            "Key": drop_key(drop.id),
            "UpdateExpression": "SET #state = :claimed, #owner = :owner, #until = :until, "
            f"{assign_if_absent(initial)} REMOVE #error, dependency ADD attempts :one",
            "ConditionExpression": _CLAIMABLE,
            "ExpressionAttributeNames": _LEDGER_NAMES | {f"#{name}": name for name in initial},
            "ExpressionAttributeValues": to_item({f":{name}": value for name, value in initial.items()})
            | to_item({":claimed": "claimed", ":owner": owner, ":until": until.timestamp(), ":one": 1})
            | to_item({":now": now.timestamp(), ":beyond": (now + MAX_LEASE).timestamp()}),
            "ReturnValues": "UPDATED_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        with translate_errors("records", "claim drop"):
            try:
                answer = self._client.update_item(TableName=self._table, **update)
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
        end = {"state": "rejected", "reason": reason, "message": message, "stage": stage}
        self._update_owned(lease, end | {"completed_at": now.isoformat()})

    def quarantine(self, lease: Lease, *, reason: str, message: str, stage: str, now: datetime) -> None:
        end = {"state": "quarantined", "reason": reason, "message": message, "stage": stage}
        self._update_owned(lease, end | {"completed_at": now.isoformat()})

    def save_result(self, lease: Lease, drop: Drop, result: ProcessingResult, *, now: datetime) -> None:
        ttl = int((now + self._retention).timestamp())
        end = self._completion_update(lease, result, now)
        sighting_items = [
            sighting_row(drop, number, value, now, ttl)
            | _face_attributes(value, store_face=result.store_unknown_faces)
            for number, value in enumerate(result.prediction.sightings)
        ]
        people = unless_being_erased(self._table, (one.label for one in result.prediction.sightings))
        writes: list[Item] = [{"Update": {"TableName": self._table, **end}}, *people]
        writes += [{"Put": {"TableName": self._table, "Item": row}} for row in sighting_items]
        writes += [
            {"Update": {"TableName": self._table, **alert_update(alert, now, ttl)}} for alert in result.alerts
        ]
        if result.unknown_subjects is not None:
            writes += window_writes(self._table, result.unknown_subjects, now)
        with translate_errors("records", "save result"):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                if error_code(error) != "TransactionCanceledException":
                    raise
                raise _transaction_failure(error, drop.id, len(people)) from error

    def unknown_subjects(self, source: str, window: str) -> UnknownSubjects:
        return read_window(self._client, self._table, source, window)

    def is_suppressed(self, alert: Alert, *, now: datetime) -> bool:
        key = suppression_key(alert.rule, alert.subject, alert.source)
        with translate_errors("records", "read suppression"):
            answer = self._client.get_item(TableName=self._table, Key=key)
        return "Item" in answer and int(from_item(answer["Item"])["until"]) > now.timestamp()

    def _completion_update(self, claim: Lease, result: ProcessingResult, now: datetime) -> Item:
        return owned_update(
            claim,
            {
                "state": "done",
                "release": result.release,
                "sightings": len(result.prediction.sightings),
                "found": result.prediction.found,
                "alerts": len(result.alerts),
                "size_px": list(result.prediction.size_px) if result.prediction.size_px else None,
                "notes": dict(result.prediction.notes),
                "times_ms": dict(result.times_ms),
                "completed_at": now.isoformat(),
            },
        )

    def _update_owned(self, claim: Lease, change: Mapping[str, Any]) -> None:
        """Change the drop's record while the claim holds."""
        with translate_errors("records", "update drop"):
            try:
                self._client.update_item(TableName=self._table, **owned_update(claim, change))
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                raise LeaseLost(f"{claim.drop_id} is no longer {claim.owner}'s") from error


def _face_attributes(sighting: Sighting, *, store_face: bool) -> Item:
    """A stranger's face, where its source asks for it: it is gone with its sighting."""
    if not store_face or sighting.status != "unknown" or sighting.vector is None:
        return {}
    face = {
        "face_vector": sighting.vector.astype(np.float16).tobytes(),
        "embedding_space": sighting.embedding_space,
    }
    return to_item(face | {"same_subject_threshold": sighting.same_subject_threshold})


def _claim_refusal(row: Mapping[str, Any]) -> AlreadyCompleted | LeaseHeld:
    if row["state"] == "claimed":
        return LeaseHeld(datetime.fromtimestamp(row["until"], UTC))
    return AlreadyCompleted(row["state"])


def _transaction_failure(
    error: ClientError, drop: str, people: int
) -> LeaseLost | SubjectBeingErased | ConcurrentUpdate:
    """Which condition broke: the first is the lease, next are people; any other was another drop."""
    reasons = cancellation_reasons(error)
    if CONDITION_FAILED in reasons[:1]:
        return LeaseLost(f"{drop} was taken over or settled")
    if CONDITION_FAILED in reasons[1 : 1 + people]:
        return SubjectBeingErased(f"{drop} shows somebody who is being erased")
    return ConcurrentUpdate(f"{drop}: {reasons}")
