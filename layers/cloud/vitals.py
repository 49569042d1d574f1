"""What active releases show, in the records table: ten seconds a row, that all containers add to."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from cloud.faults import faults
from cloud.items import fields, item
from cloud.pages import every
from vigil.learn.vitals import Vitals

STRETCH_S = 10
_KEPT = timedelta(hours=2)
_NAMES = ("looks", "slow", "unsure")


class DynamoVitals:
    """Rows: vitals#<model>#<release> <start, ISO 8601>."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def add(self, model: str, release: str, vitals: Vitals, now: datetime) -> None:
        """Add to the stretch of now."""
        counts = {f":{name}": getattr(vitals, name) for name in _NAMES}
        start = datetime.fromtimestamp(int(now.timestamp()) // STRETCH_S * STRETCH_S, UTC)
        with faults("count what a release shows"):
            self._client.update_item(
                TableName=self._table,
                Key=item({"pk": f"vitals#{model}#{release}", "sk": start.isoformat()}),
                UpdateExpression="SET expires = :expires ADD looks :looks, slow :slow, unsure :unsure",
                ExpressionAttributeValues=item({**counts, ":expires": int((now + _KEPT).timestamp())}),
            )

    def newest(self, model: str, release: str, since: datetime) -> Iterator[Vitals]:
        """Stretches that began since then, from the newest back."""
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk AND sk >= :since",
            "ExpressionAttributeValues": item(
                {":pk": f"vitals#{model}#{release}", ":since": since.isoformat()}
            ),
            "ScanIndexForward": False,
            "ConsistentRead": True,
            "Limit": 50,
        }
        for row in map(fields, every(self._client, doing="read what a release shows", **query)):
            yield Vitals(*(row[name] for name in _NAMES))
