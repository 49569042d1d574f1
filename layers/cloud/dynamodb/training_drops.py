"""Reads drops with their sightings as training examples."""

from datetime import UTC, datetime
from typing import Any

from cloud.dynamodb.drops import DynamoDropReader, SightingView
from vigil.inference.types import Sighting
from vigil.training.examples import DropForTraining


class DynamoTrainingDrops:
    """Reads the rows that `cloud.dynamodb.ledger` writes."""

    def __init__(self, client: Any, table: str) -> None:
        self._records = DynamoDropReader(client, table)

    def get_drop(self, drop_id: str) -> DropForTraining | None:
        """None if the drop has no record or no S3 object."""
        found = self._records.find_drop_details(drop_id)
        if found is None or found.drop.s3_object is None:
            return None
        drop = found.drop
        until = datetime.fromtimestamp(drop.expires, UTC) if drop.expires is not None else None
        return DropForTraining(found.drop.s3_object, tuple(map(_to_sighting, found.sightings)), until)


def _to_sighting(view: SightingView) -> Sighting:
    return Sighting(view.label, view.status, view.score, box_px=view.box_px, quality=view.quality)
