"""Port Ledger, in the records table: drop, sightings, alerts and strangers, one stream, one transaction."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from botocore.exceptions import ClientError

from cloud.decisions import silence_key
from cloud.departed import unless_departed
from cloud.faults import FAILED, cancelled, code, faults
from cloud.items import Item, fields, item
from cloud.rows import alert_row, drop_key, first_row, owned, sighting_row, unless_there
from cloud.windows import window_of, window_writes
from vigil.drops import Drop, Misfit
from vigil.seeing import Sighting
from vigil.steady.ledger import (
    LONGEST_LEASE,
    Claim,
    Departed,
    Held,
    LeaseLost,
    Overtaken,
    Result,
    Settled,
)
from vigil.watch.alerts import Alert
from vigil.watch.strangers import Strangers

_NAMES = {"#state": "state", "#owner": "owner", "#until": "until", "#error": "error"}
_FREE = "attribute_not_exists(pk) OR (#state = :claimed AND (#until <= :now OR #until > :beyond))"


class DynamoLedger:
    """See the port for the promises. Rows:

    drop#<id>  drop            the drop's one record
    drop#<id>  sighting#<nnn>  each thing seen in it
    alert#<id> alert           raised once, counted up by each drop that shows the same
    strangers#<source>#<window> ...   the window's strangers: `cloud.windows`
    """

    def __init__(self, client: Any, table: str, *, lane: str, retention: timedelta) -> None:
        self._client, self._table, self._lane, self._retention = client, table, lane, retention

    def claim(
        self, drop: Drop | Misfit, *, owner: str, now: datetime, until: datetime
    ) -> Claim | Settled | Held:
        first = first_row(drop, now, self._lane, self._retention)
        update = {
            "Key": drop_key(drop.id),
            "UpdateExpression": "SET #state = :claimed, #owner = :owner, #until = :until, "
            f"{unless_there(first)} REMOVE #error ADD attempts :one",
            "ConditionExpression": _FREE,
            "ExpressionAttributeNames": _NAMES | {f"#{name}": name for name in first},
            "ExpressionAttributeValues": item({f":{name}": thing for name, thing in first.items()})
            | item({":claimed": "claimed", ":owner": owner, ":until": until.timestamp(), ":one": 1})
            | item({":now": now.timestamp(), ":beyond": (now + LONGEST_LEASE).timestamp()}),
            "ReturnValues": "UPDATED_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        with faults(f"claim {drop.id}"):
            try:
                answer = self._client.update_item(TableName=self._table, **update)
            except ClientError as error:
                if code(error) != "ConditionalCheckFailedException":
                    raise
                return _why_not(fields(error.response["Item"]))
        return Claim(drop.id, owner, int(answer["Attributes"]["attempts"]["N"]), until)

    def renew(self, claim: Claim, *, stage: str, until: datetime) -> Claim:
        self._mine(claim, {"until": until.timestamp(), "stage": stage})
        return Claim(claim.drop, claim.owner, claim.attempt, until)

    def release(
        self, claim: Claim, *, stage: str, error: str, now: datetime, model_release: str = ""
    ) -> None:
        failure = {"stage": stage, "error": error, "release": model_release or None}
        try:
            self._mine(claim, {"until": now.timestamp(), **failure})
        except LeaseLost:
            return

    def reject(self, claim: Claim, *, reason: str, message: str, stage: str, now: datetime) -> None:
        end = {"state": "rejected", "reason": reason, "message": message, "stage": stage}
        self._mine(claim, end | {"settled_at": now.isoformat()})

    def quarantine(self, claim: Claim, *, reason: str, message: str, stage: str, now: datetime) -> None:
        end = {"state": "quarantined", "reason": reason, "message": message, "stage": stage}
        self._mine(claim, end | {"settled_at": now.isoformat()})

    def keep(self, claim: Claim, drop: Drop, result: Result, *, now: datetime) -> None:
        ttl = int((now + self._retention).timestamp())
        end = self._end(claim, result, now)
        seen = [
            sighting_row(drop, number, thing, now, ttl) | _face(thing, remember=result.remember)
            for number, thing in enumerate(result.scene.sightings)
        ]
        people = unless_departed(self._table, (one.label for one in result.scene.sightings))
        writes: list[Item] = [{"Update": {"TableName": self._table, **end}}, *people]
        writes += [{"Put": {"TableName": self._table, "Item": row}} for row in seen]
        writes += [
            {"Update": {"TableName": self._table, **alert_row(alert, now, ttl)}} for alert in result.alerts
        ]
        if result.strangers is not None:
            writes += window_writes(self._table, result.strangers, now)
        with faults(f"keep {drop.id}"):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                if code(error) != "TransactionCanceledException":
                    raise
                raise _cancelled(error, drop.id, len(people)) from error

    def strangers(self, source: str, window: str) -> Strangers:
        return window_of(self._client, self._table, source, window)

    def silent(self, alert: Alert, *, now: datetime) -> bool:
        key = silence_key(alert.rule, alert.subject, alert.source)
        with faults("read silence"):
            answer = self._client.get_item(TableName=self._table, Key=key)
        return "Item" in answer and int(fields(answer["Item"])["until"]) > now.timestamp()

    def _end(self, claim: Claim, result: Result, now: datetime) -> Item:
        return owned(
            claim,
            {
                "state": "done",
                "release": result.release,
                "sightings": len(result.scene.sightings),
                "found": result.scene.found,
                "alerts": len(result.alerts),
                "size_px": list(result.scene.size_px) if result.scene.size_px else None,
                "notes": dict(result.scene.notes),
                "times_ms": dict(result.times_ms),
                "settled_at": now.isoformat(),
            },
        )

    def _mine(self, claim: Claim, change: Mapping[str, Any]) -> None:
        """Change the drop's record while the claim holds."""
        with faults(f"write {claim.drop}"):
            try:
                self._client.update_item(TableName=self._table, **owned(claim, change))
            except ClientError as error:
                if code(error) != "ConditionalCheckFailedException":
                    raise
                raise LeaseLost(f"{claim.drop} is no longer {claim.owner}'s") from error


def _face(sighting: Sighting, *, remember: bool) -> Item:
    """A stranger's face, where its source asks for it: it is gone with its sighting."""
    if not remember or sighting.status != "unknown" or sighting.vector is None:
        return {}
    face = {"face": sighting.vector.astype(np.float16).tobytes(), "space": sighting.space}
    return item(face | {"same_as": sighting.same_as})


def _why_not(row: Mapping[str, Any]) -> Settled | Held:
    if row["state"] == "claimed":
        return Held(datetime.fromtimestamp(row["until"], UTC))
    return Settled(row["state"])


def _cancelled(error: ClientError, drop: str, people: int) -> LeaseLost | Departed | Overtaken:
    """Which condition broke: the first is the lease, next are people; any other was another drop."""
    reasons = cancelled(error)
    if FAILED in reasons[:1]:
        return LeaseLost(f"{drop} was taken over or settled")
    if FAILED in reasons[1 : 1 + people]:
        return Departed(f"{drop} shows somebody who is being erased")
    return Overtaken(f"{drop}: {reasons}")
