"""Drops as a data set takes them up: where each lies, what was seen in it, until when it may be kept."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cloud.records import DynamoRecords
from vigil.drops import Object
from vigil.flow.taken import Taken
from vigil.seeing import Sighting


class DynamoDrops:
    """Reads the rows that `cloud.ledger` writes."""

    def __init__(self, client: Any, table: str) -> None:
        self._records = DynamoRecords(client, table)

    def taken(self, drop: str) -> Taken | None:
        """None where the drop is gone, or did not come from S3."""
        row = self._records.drop(drop)
        if row is None or "origin" not in row:
            return None
        until = datetime.fromtimestamp(row["expires"], UTC) if "expires" in row else None
        return Taken(Object(**row["origin"]), tuple(map(_sighting, self._records.sightings(drop))), until)


def _sighting(row: Mapping[str, Any]) -> Sighting:
    box = row.get("box_px")
    return Sighting(
        label=row["label"],
        status=row["status"],
        score=row.get("score"),
        box_px=(float(box[0]), float(box[1]), float(box[2]), float(box[3])) if box else None,
        quality=row.get("quality"),
    )
