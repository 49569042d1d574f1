"""The records table's stream, read as facts worth telling."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from cloud.dynamodb.attributes import from_item
from vigil.drops.events import AlertRaised, DropCompleted, ReleaseStageChanged

_TERMINAL_STATES = ("done", "rejected", "quarantined")


def events_from_stream(
    event: Mapping[str, Any],
) -> Iterator[tuple[str, DropCompleted | ReleaseStageChanged | AlertRaised]]:
    """(sequence number, fact) of each record that tells something new.

    A drop's record tells when its state becomes an end; an alert when it is inserted; a release when
    its stage changes. Anything else that is written later (a count, a note, a review) is no news.
    """
    for record in event["Records"]:
        change = record["dynamodb"]
        new, old = from_item(change.get("NewImage", {})), from_item(change.get("OldImage", {}))
        sequence_number = str(change["SequenceNumber"])
        if (
            new.get("sk") == "drop"
            and new.get("state") in _TERMINAL_STATES
            and old.get("state") != new["state"]
        ):
            yield sequence_number, completed_event(new)
        elif new.get("sk") == "alert" and not old:
            yield sequence_number, alert_event(new)
        elif str(new.get("sk", "")).startswith("release#") and old.get("stage") != new["stage"]:
            yield sequence_number, transition_event(new)


def completed_event(row: Mapping[str, Any]) -> DropCompleted:
    """A settled drop's row."""
    return DropCompleted(
        drop=row["drop_id"],
        state=row["state"],
        model=row["model"],
        source=row["source"],
        reason=row.get("reason", ""),
        release=row.get("release", ""),
        sightings=row.get("sightings", 0),
        alerts=row.get("alerts", 0),
        occurred_at=datetime.fromisoformat(row["completed_at"]),
        object_ref=row.get("s3_object", {}),
    )


def alert_event(row: Mapping[str, Any]) -> AlertRaised:
    """An alert's row, as it was first kept."""
    return AlertRaised(
        alert=row["alert_id"],
        rule=row["rule"],
        severity=row["severity"],
        status=row["status"],
        source=row["source"],
        model=row["model"],
        drop=row["drop_id"],
        occurred_at=datetime.fromisoformat(row["occurred_at"]),
    )


def transition_event(row: Mapping[str, Any]) -> ReleaseStageChanged:
    """A release's row, as its stage changed."""
    transition: Mapping[str, Any] = (
        row["history"][-1] if row["history"] else {"step": "register", "reasons": ()}
    )
    return ReleaseStageChanged(
        model=row["model"],
        release=row["release"],
        stage=row["stage"],
        step=transition["step"],
        reasons=tuple(transition["reasons"]),
        sequence=len(row["history"]),
        data=row.get("data", ""),
        parent=row.get("parent", ""),
        occurred_at=datetime.fromisoformat(row["since"]),
    )
