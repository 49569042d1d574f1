"""Drops as a data set takes them up: where each lies, what was seen in it, until when it may be kept."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cloud.dynamodb.drops import DynamoDropReader
from vigil.drops.messages import S3Object
from vigil.inference.types import Sighting
from vigil.training.examples import DropForTraining


class DynamoTrainingDrops:
    """Reads the rows that `cloud.dynamodb.ledger` writes."""

    def __init__(self, client: Any, table: str) -> None:
        self._records = DynamoDropReader(client, table)

    def get_drop(self, drop: str) -> DropForTraining | None:
        """None where the drop is gone, or did not come from S3."""
        row = self._records.find_drop(drop)
        if row is None or "s3_object" not in row:
            return None
        until = datetime.fromtimestamp(row["expires"], UTC) if "expires" in row else None
        return DropForTraining(
            S3Object(**row["s3_object"]), tuple(map(_sighting_from_row, self._records.sightings(drop))), until
        )


def _sighting_from_row(row: Mapping[str, Any]) -> Sighting:
    box = row.get("box_px")
    return Sighting(
        label=row["label"],
        status=row["status"],
        score=row.get("score"),
        box_px=(float(box[0]), float(box[1]), float(box[2]), float(box[3])) if box else None,
        quality=row.get("quality"),
    )
