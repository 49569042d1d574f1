"""The records table's stream, read as facts worth telling."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from cloud.items import fields
from vigil.flow.announce import Ended, Moved, Raised

_ENDS = ("done", "rejected", "quarantined")


def facts(event: Mapping[str, Any]) -> Iterator[tuple[str, Ended | Moved | Raised]]:
    """(sequence number, fact) of each record that tells something new.

    A drop's record tells when its state becomes an end; an alert when it is inserted; a release when
    its stage changes. Anything else that is written later (a count, a note, a review) is no news.
    """
    for record in event["Records"]:
        stream = record["dynamodb"]
        new, old = fields(stream.get("NewImage", {})), fields(stream.get("OldImage", {}))
        mark = str(stream["SequenceNumber"])
        if new.get("sk") == "drop" and new.get("state") in _ENDS and old.get("state") != new["state"]:
            yield mark, ended(new)
        elif new.get("sk") == "alert" and not old:
            yield mark, raised(new)
        elif str(new.get("sk", "")).startswith("life#") and old.get("stage") != new["stage"]:
            yield mark, moved(new)


def ended(row: Mapping[str, Any]) -> Ended:
    """A settled drop's row."""
    return Ended(
        drop=row["drop_id"],
        state=row["state"],
        model=row["model"],
        source=row["taken_from"],
        reason=row.get("reason", ""),
        release=row.get("release", ""),
        sightings=row.get("sightings", 0),
        alerts=row.get("alerts", 0),
        at=datetime.fromisoformat(row["settled_at"]),
        where=row.get("origin", {}),
    )


def raised(row: Mapping[str, Any]) -> Raised:
    """An alert's row, as it was first kept."""
    return Raised(
        alert=row["alert_id"],
        rule=row["rule"],
        severity=row["severity"],
        status=row["status"],
        source=row["taken_from"],
        model=row["model"],
        drop=row["drop_id"],
        at=datetime.fromisoformat(row["happened_at"]),
    )


def moved(row: Mapping[str, Any]) -> Moved:
    """A release's row, as its stage changed."""
    last: Mapping[str, Any] = row["history"][-1] if row["history"] else {"step": "register", "reasons": ()}
    return Moved(
        model=row["model"],
        release=row["release"],
        stage=row["stage"],
        step=last["step"],
        reasons=tuple(last["reasons"]),
        number=len(row["history"]),
        data=row.get("data", ""),
        parent=row.get("parent", ""),
        at=datetime.fromisoformat(row["since"]),
    )
