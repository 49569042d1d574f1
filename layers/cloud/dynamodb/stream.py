"""Converts rows and stream records of the records table to events that are published."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from cloud.dynamodb.attributes import from_item
from vigil.drops.events import AlertRaised, DropCompleted, ReleaseStageChanged

_TERMINAL_STATES = ("done", "rejected", "quarantined")


def events_from_stream(
    event: Mapping[str, Any],
) -> Iterator[tuple[str, DropCompleted | ReleaseStageChanged | AlertRaised]]:
    """(sequence number, event) of each stream record that is to be published.

    These are a drop whose state becomes final, a new alert, and a release whose stage changes. Later changes
    of such rows (a count, a note, a review) are not published.
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
    """The event of an alert's row as it was inserted."""
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
    """The event of the last stage change in a release's row."""
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
