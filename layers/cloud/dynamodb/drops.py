"""The records table for readers: drops, what was seen in them, alerts."""

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from cloud.dynamodb.attributes import from_item, to_item
from cloud.dynamodb.queries import END_OF_LIST, Listing, batch_get, query_all
from cloud.dynamodb.schema import NOTE, drop_key
from cloud.errors import translate_errors
from vigil.drops.ledger import DropRecord
from vigil.drops.messages import S3Object


class DynamoDropReader:
    """Rows as plain values, under the names that `cloud.dynamodb.ledger` writes."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table
        self._listing = Listing(client, table)

    def find_drop(self, drop_id: str) -> dict[str, Any] | None:
        """A drop's record, read consistently."""
        return self._get_row(f"drop#{drop_id}", "drop")

    def drop_with_sightings(self, drop: str) -> dict[str, Any] | None:
        """A drop's record with all that was `seen` in it, read consistently and at once."""
        rows = list(self._query("pk = :pk", to_item({":pk": f"drop#{drop}"}), consistent=True))
        sighting_rows = [row for row in rows if row["sk"].startswith("sighting#")]
        return next(({**row, "sighting_rows": sighting_rows} for row in rows if row["sk"] == "drop"), None)

    def alert(self, alert: str) -> dict[str, Any] | None:
        return self._get_row(f"alert#{alert}", "alert")

    def sightings(self, drop: str) -> list[dict[str, Any]]:
        """Everything seen in a drop, in order, read consistently."""
        values = to_item({":pk": f"drop#{drop}", ":sk": "sighting#"})
        return list(self._query("pk = :pk AND begins_with(sk, :sk)", values, consistent=True))

    def sighting(self, drop: str, number: int) -> dict[str, Any] | None:
        """One thing seen in a drop."""
        return self._get_row(f"drop#{drop}", f"sighting#{number:03}")

    def notes(self, drop: str) -> list[dict[str, Any]]:
        """What was done with a drop's messages, and why, oldest first."""
        values = to_item({":pk": f"drop#{drop}", ":sk": "note#"})
        return list(self._query("pk = :pk AND begins_with(sk, :sk)", values, consistent=True))

    def drops_of_object(self, uri: str) -> list[str]:
        """Ids of the drops of an object's versions (`s3://bucket/key`), newest first."""
        rows = self._query("#object = :object", to_item({":object": uri}), index="object")
        return [str(row["pk"]).removeprefix("drop#") for row in rows]

    def newest(self, kind: str, *, since: datetime, limit: int) -> list[dict[str, Any]]:
        """The newest rows of "drops", "sightings" or "alerts"."""
        return list(islice(self._listing.newest(kind, since=since), limit))

    def list_rows(
        self, kind: str, *, since: datetime, before: str, page_size: int
    ) -> Iterator[dict[str, Any]]:
        """Rows of a kind, newest first, from a place in the list on."""
        return self._listing.newest(kind, since=since, before=before or END_OF_LIST, page_size=page_size)

    def for_subject(
        self, subject: str, *, before: str = "", page_size: int = 100
    ) -> Iterator[dict[str, Any]]:
        """Sightings of a known subject, and alerts about it, newest first."""
        return self._listing.for_subject(subject, before=before or END_OF_LIST, page_size=page_size)

    def _get_row(self, pk: str, sk: str) -> dict[str, Any] | None:
        with translate_errors("records", "read record"):
            answer = self._client.get_item(
                TableName=self._table, Key=to_item({"pk": pk, "sk": sk}), ConsistentRead=True
            )
        return from_item(answer["Item"]) if "Item" in answer else None

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
        return map(
            from_item, query_all(self._client, dependency="records", operation="read records", **query)
        )


# MERGED: Ports Records and Diary, in the records table: many records at once, and the lines beside one.

_RECORD_PROJECTION = "drop_id, #state, attempts, #until, stage, #error, #release, s3_object, dependency"
_RECORD_NAMES = {"#state": "state", "#until": "until", "#error": "error", "#release": "release"}


class DynamoDropRecords:
    """Rows: drop#<id> drop, as the ledger writes it; drop#<id> note#<time>, what was done about it."""

    def __init__(self, client: Any, table: str, *, retention: timedelta) -> None:
        self._client, self._table, self._retention = client, table, retention

    def read_records(self, drop_ids: Collection[str]) -> Mapping[str, DropRecord]:
        keys = [drop_key(drop) for drop in sorted(drop_ids)]
        projection = {"ProjectionExpression": _RECORD_PROJECTION, "ExpressionAttributeNames": _RECORD_NAMES}
        rows = batch_get(
            self._client, self._table, keys, dependency="records", operation="read records", **projection
        )
        return {record.drop_id: record for record in (_record_from_row(from_item(row)) for row in rows)}

    def add_note(self, drop: str, *, action: str, reason: str, now: datetime) -> None:
        row = {
            "drop_id": drop,
            "action_taken": action,
            "reason": reason,
            "expires": int((now + self._retention).timestamp()),
        }
        with translate_errors("records", "add note"):
            self._client.put_item(
                TableName=self._table, Item=NOTE.key(drop=drop, at=now.isoformat()) | to_item(row)
            )


def _record_from_row(row: Mapping[str, Any]) -> DropRecord:
    return DropRecord(
        drop_id=row["drop_id"],
        state=row["state"],
        attempts=row["attempts"],
        lease_until=datetime.fromtimestamp(row["until"], UTC),
        stage=row.get("stage", ""),
        error=row.get("error", ""),
        release=row.get("release", ""),
        dependency=row.get("dependency", ""),
        s3_object=S3Object(**row["s3_object"]) if "s3_object" in row else None,
    )
