"""Port Ledger, in the records table: drop, sightings, alerts and strangers, one stream, one transaction."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from botocore.exceptions import ClientError

from cloud.faults import code, faults
from cloud.items import Item, fields, item, value
from cloud.listing import listed
from vigil.drops import Drop, Misfit, Object
from vigil.seeing import Sighting
from vigil.steady.ledger import Claim, Held, LeaseLost, Overtaken, Result, Settled
from vigil.watch.alerts import Alert
from vigil.watch.strangers import Strangers, nobody

_MINE = "#state = :claimed AND #owner = :owner"
_NAMES = {"#state": "state", "#owner": "owner", "#until": "until"}
_STRANGERS_KEPT = timedelta(days=1)


class DynamoLedger:
    """See the port for the promises. Rows:

    drop#<id>  drop            the drop's one record
    drop#<id>  sighting#<nnn>  each thing seen in it
    alert#<id> alert           raised once, counted up by each drop that shows the same
    strangers#<source>#<window> strangers    the window's strangers, guarded by a revision
    """

    def __init__(self, client: Any, table: str, *, lane: str, retention: timedelta) -> None:
        self._client, self._table, self._lane, self._retention = client, table, lane, retention

    def claim(
        self, drop: Drop | Misfit, *, owner: str, now: datetime, until: datetime
    ) -> Claim | Settled | Held:
        first = _first(drop, now, self._lane, self._retention)
        update = {
            "Key": _drop_key(drop.id),
            "UpdateExpression": "SET #state = :claimed, #owner = :owner, #until = :until, "
            f"{_unless_there(first)} ADD attempts :one",
            "ConditionExpression": "attribute_not_exists(pk) OR (#state = :claimed AND #until <= :now)",
            "ExpressionAttributeNames": _NAMES | {f"#{name}": name for name in first},
            "ExpressionAttributeValues": item({f":{name}": thing for name, thing in first.items()})
            | item({":claimed": "claimed", ":owner": owner, ":until": until.timestamp(), ":one": 1})
            | item({":now": now.timestamp()}),
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

    def release(self, claim: Claim, *, stage: str, error: str, now: datetime) -> None:
        try:
            self._mine(claim, {"until": now.timestamp(), "stage": stage, "error": error})
        except LeaseLost:
            return

    def reject(self, claim: Claim, *, reason: str, message: str, stage: str, now: datetime) -> None:
        end = {"state": "rejected", "reason": reason, "message": message, "stage": stage}
        self._mine(claim, end | {"settled_at": now.isoformat()})

    def keep(self, claim: Claim, drop: Drop, result: Result, *, now: datetime) -> None:
        ttl = int((now + self._retention).timestamp())
        end = self._end(claim, result, now)
        seen = [
            _sighting(drop, number, thing, now, ttl) for number, thing in enumerate(result.scene.sightings)
        ]
        writes: list[Item] = [{"Update": {"TableName": self._table, **end}}]
        writes += [{"Put": {"TableName": self._table, "Item": row}} for row in seen]
        writes += [
            {"Update": {"TableName": self._table, **_alert(alert, now, ttl)}} for alert in result.alerts
        ]
        if result.strangers is not None:
            writes.append({"Put": {"TableName": self._table, **_strangers(result.strangers, now)}})
        with faults(f"keep {drop.id}"):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                if code(error) != "TransactionCanceledException":
                    raise
                raise _cancelled(error, drop.id) from error

    def strangers(self, source: str, window: str) -> Strangers:
        key = item({"pk": f"strangers#{source}#{window}", "sk": "strangers"})
        with faults("read strangers"):
            answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        if "Item" not in answer:
            return nobody(source, window)
        row = fields(answer["Item"])
        vectors = np.frombuffer(row["vectors"], np.float32).reshape(len(row["ids"]), -1)
        return Strangers(source, window, row["revision"], tuple(row["ids"]), vectors)

    def _end(self, claim: Claim, result: Result, now: datetime) -> Item:
        return _owned(
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
                self._client.update_item(TableName=self._table, **_owned(claim, change))
            except ClientError as error:
                if code(error) != "ConditionalCheckFailedException":
                    raise
                raise LeaseLost(f"{claim.drop} is no longer {claim.owner}'s") from error


def _drop_key(drop: str) -> Item:
    return item({"pk": f"drop#{drop}", "sk": "drop"})


def _unless_there(names: Iterable[str]) -> str:
    """Assignments that the first write makes and later ones leave alone."""
    return ", ".join(f"#{name} = if_not_exists(#{name}, :{name})" for name in names)


def _owned(claim: Claim, change: Mapping[str, Any]) -> Item:
    """An update that holds only for the claim's owner."""
    present = {name: thing for name, thing in change.items() if thing is not None}
    return {
        "Key": _drop_key(claim.drop),
        "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in present),
        "ConditionExpression": _MINE,
        "ExpressionAttributeNames": {"#state": "state", "#owner": "owner"} | {f"#{n}": n for n in present},
        "ExpressionAttributeValues": {f":{name}": value(thing) for name, thing in present.items()}
        | item({":claimed": "claimed", ":owner": claim.owner}),
    }


def _first(drop: Drop | Misfit, now: datetime, lane: str, retention: timedelta) -> dict[str, Any]:
    """What a drop's record says from its first claim on."""
    where = drop.origin if isinstance(drop.origin, Object) else None
    model, source = (drop.model, drop.source) if isinstance(drop, Drop) else ("", "")
    rows: dict[str, Any] = {
        "drop_id": drop.id,
        "lane": lane,
        "model": model,
        "taken_from": source,
        "happened_at": drop.at.isoformat(),
        "first_claimed_at": now.isoformat(),
        "expires": int((now + retention).timestamp()),
        **listed("drops", drop.id, now),
    }
    if where is not None:
        rows |= {"origin": asdict(where), "object": f"s3://{where.bucket}/{where.key}"}
    return rows


def _why_not(row: Mapping[str, Any]) -> Settled | Held:
    if row["state"] == "claimed":
        return Held(datetime.fromtimestamp(row["until"], UTC))
    return Settled(row["state"])


def _sighting(drop: Drop, number: int, sighting: Sighting, now: datetime, ttl: int) -> Item:
    """A sighting's row. Its vector is not kept: a stored face is a thing to lose."""
    return item(
        {
            "pk": f"drop#{drop.id}",
            "sk": f"sighting#{number:03}",
            "drop_id": drop.id,
            "model": drop.model,
            "taken_from": drop.source,
            "happened_at": drop.at.isoformat(),
            "label": sighting.label,
            "status": sighting.status,
            "score": sighting.score,
            "threshold": sighting.threshold,
            "box_px": list(sighting.box_px) if sighting.box_px else None,
            "quality": sighting.quality,
            "faults": list(sighting.faults) or None,
            "tags": sighting.tags,
            "subject": sighting.label if sighting.status == "known" else None,
            "expires": ttl,
            **listed("sightings", f"{drop.id}#{number:03}", now),
        }
    )


def _alert(alert: Alert, now: datetime, ttl: int) -> Item:
    """Raise, or count up: no condition, so that two drops that show the same never collide."""
    first = {
        "alert_id": alert.id,
        "rule": alert.rule,
        "severity": alert.severity,
        "subject_id": alert.subject,
        "status": alert.status,
        "model": alert.model,
        "taken_from": alert.source,
        "window": alert.window,
        "happened_at": alert.at.isoformat(),
        "drop_id": alert.drop,
        "sighting": alert.sighting,
        "review": "open",
        "expires": ttl,
        **listed("alerts", alert.id, now),
    }
    return {
        "Key": item({"pk": f"alert#{alert.id}", "sk": "alert"}),
        "UpdateExpression": f"SET {_unless_there(first)}, last_at = :last ADD drops :one",
        "ExpressionAttributeNames": {f"#{name}": name for name in first},
        "ExpressionAttributeValues": {f":{name}": value(thing) for name, thing in first.items()}
        | item({":last": alert.at.isoformat(), ":one": 1}),
    }


def _strangers(strangers: Strangers, now: datetime) -> Item:
    row = {
        "pk": f"strangers#{strangers.source}#{strangers.window}",
        "sk": "strangers",
        "revision": strangers.revision + 1,
        "ids": list(strangers.ids),
        "vectors": strangers.vectors.astype(np.float32).tobytes(),
        "expires": int((now + _STRANGERS_KEPT).timestamp()),
    }
    return {
        "Item": item(row),
        "ConditionExpression": "attribute_not_exists(pk) OR revision = :revision",
        "ExpressionAttributeValues": item({":revision": strangers.revision}),
    }


def _cancelled(error: ClientError, drop: str) -> LeaseLost | Overtaken:
    """Which condition broke: the first write's is the lease, any other was another drop."""
    reasons = error.response.get("CancellationReasons", [])
    if reasons and reasons[0].get("Code") == "ConditionalCheckFailed":
        return LeaseLost(f"{drop} was taken over or settled")
    return Overtaken(f"{drop}: {[reason.get('Code') for reason in reasons]}")
