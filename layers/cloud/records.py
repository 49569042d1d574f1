"""The records table for readers: drops, what was seen in them, alerts."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from cloud.faults import faults
from cloud.items import fields, item
from cloud.listing import LAST, Listing
from cloud.pages import every


class DynamoRecords:
    """Rows as plain values, under the names that `cloud.ledger` writes."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table
        self._listing = Listing(client, table)

    def drop(self, drop: str) -> dict[str, Any] | None:
        """A drop's record, read consistently."""
        return self._row(f"drop#{drop}", "drop")

    def whole(self, drop: str) -> dict[str, Any] | None:
        """A drop's record with all that was `seen` in it, read consistently and at once."""
        rows = list(self._query("pk = :pk", item({":pk": f"drop#{drop}"}), consistent=True))
        seen = [row for row in rows if row["sk"].startswith("sighting#")]
        return next(({**row, "seen": seen} for row in rows if row["sk"] == "drop"), None)

    def alert(self, alert: str) -> dict[str, Any] | None:
        return self._row(f"alert#{alert}", "alert")

    def sightings(self, drop: str) -> list[dict[str, Any]]:
        """Everything seen in a drop, in order, read consistently."""
        values = item({":pk": f"drop#{drop}", ":sk": "sighting#"})
        return list(self._query("pk = :pk AND begins_with(sk, :sk)", values, consistent=True))

    def sighting(self, drop: str, number: int) -> dict[str, Any] | None:
        """One thing seen in a drop."""
        return self._row(f"drop#{drop}", f"sighting#{number:03}")

    def notes(self, drop: str) -> list[dict[str, Any]]:
        """What was done with a drop's messages, and why, oldest first."""
        values = item({":pk": f"drop#{drop}", ":sk": "note#"})
        return list(self._query("pk = :pk AND begins_with(sk, :sk)", values, consistent=True))

    def of_object(self, uri: str) -> list[str]:
        """Ids of the drops of an object's versions (`s3://bucket/key`), newest first."""
        rows = self._query("#object = :object", item({":object": uri}), index="object")
        return [str(row["pk"]).removeprefix("drop#") for row in rows]

    def newest(self, kind: str, *, since: datetime, most: int) -> list[dict[str, Any]]:
        """The newest rows of "drops", "sightings" or "alerts"."""
        return list(islice(self._listing.newest(kind, since=since), most))

    def listed(self, kind: str, *, since: datetime, before: str, at_once: int) -> Iterator[dict[str, Any]]:
        """Rows of a kind, newest first, from a place in the list on."""
        return self._listing.newest(kind, since=since, before=before or LAST, at_once=at_once)

    def of_subject(self, subject: str, *, before: str = "", at_once: int = 100) -> Iterator[dict[str, Any]]:
        """Sightings of a known subject, and alerts about it, newest first."""
        return self._listing.of_subject(subject, before=before or LAST, at_once=at_once)

    def _row(self, pk: str, sk: str) -> dict[str, Any] | None:
        with faults("read record"):
            answer = self._client.get_item(
                TableName=self._table, Key=item({"pk": pk, "sk": sk}), ConsistentRead=True
            )
        return fields(answer["Item"]) if "Item" in answer else None

    def _query(
        self, condition: str, values: dict[str, Any], *, index: str = "", consistent: bool = False
    ) -> Iterator[dict[str, Any]]:
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ConsistentRead": consistent,
        }
        query |= {"IndexName": index, "ScanIndexForward": False} if index else {}
        query |= {"ExpressionAttributeNames": {"#object": "object"}} if "#object" in condition else {}
        return map(fields, every(self._client, doing="read records", **query))
