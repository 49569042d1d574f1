"""The rows that the ledger writes: what stands in each, and which write each takes."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from cloud.items import Item, item, value
from cloud.listing import listed
from vigil.drops import Drop, Misfit, Object
from vigil.seeing import Sighting
from vigil.steady.ledger import Claim
from vigil.watch.alerts import Alert

MINE = "#state = :claimed AND #owner = :owner"


def drop_key(drop: str) -> Item:
    return item({"pk": f"drop#{drop}", "sk": "drop"})


def unless_there(names: Iterable[str]) -> str:
    """Assignments that the first write makes and later ones leave alone."""
    return ", ".join(f"#{name} = if_not_exists(#{name}, :{name})" for name in names)


def owned(claim: Claim, change: Mapping[str, Any]) -> Item:
    """An update that holds only for the claim's owner."""
    present = {name: thing for name, thing in change.items() if thing is not None}
    return {
        "Key": drop_key(claim.drop),
        "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in present),
        "ConditionExpression": MINE,
        "ExpressionAttributeNames": {"#state": "state", "#owner": "owner"} | {f"#{n}": n for n in present},
        "ExpressionAttributeValues": {f":{name}": value(thing) for name, thing in present.items()}
        | item({":claimed": "claimed", ":owner": claim.owner}),
    }


def first_row(drop: Drop | Misfit, now: datetime, lane: str, retention: timedelta) -> dict[str, Any]:
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


def sighting_row(drop: Drop, number: int, sighting: Sighting, now: datetime, ttl: int) -> Item:
    """A sighting's row. Its vector is not in it: a stored face is a thing to lose."""
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


def alert_row(alert: Alert, now: datetime, ttl: int) -> Item:
    """Raise, or count up: no condition, so that two drops that show the same never collide."""
    told = {
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
        "subject": alert.subject if alert.status == "known" else None,
        "review": "open",
        "reviewers": alert.reviewers,
        "expires": ttl,
        **listed("alerts", alert.id, now),
    }
    first = {name: thing for name, thing in told.items() if thing is not None}
    return {
        "Key": item({"pk": f"alert#{alert.id}", "sk": "alert"}),
        "UpdateExpression": f"SET {unless_there(first)}, last_at = :last ADD drops :one",
        "ExpressionAttributeNames": {f"#{name}": name for name in first},
        "ExpressionAttributeValues": {f":{name}": value(thing) for name, thing in first.items()}
        | item({":last": alert.at.isoformat(), ":one": 1}),
    }
