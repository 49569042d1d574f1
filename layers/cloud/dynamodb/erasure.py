"""Removes a person from the records and callers tables, and records each erasure.

The row ERASURE exists from the beginning of an erasure. Every transaction that would write the person's id
has the condition that it does not exist, so a result that is computed with an older gallery is refused.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from cloud.dynamodb.attributes import Item, to_item
from cloud.dynamodb.queries import Table
from cloud.dynamodb.schema import ERASURE, drop_key, erasure_key
from cloud.errors import translate_errors
from vigil.drops.messages import S3Object
from vigil.people.person import ErasureReceipt

ERASED_LABEL = "erased"
"""Replaces the person's id in sightings and alerts."""


class DynamoPersonData:
    """Finds rows of a person through the index `subject`; a row leaves the index when the id is removed."""

    def __init__(self, client: Any, records: str, callers: str) -> None:
        self._client = client
        self._records, self._callers = Table(client, records), Table(client, callers, "callers")

    def mark_being_erased(self, person: str, now: datetime) -> None:
        """From now on no transaction can write the person's id."""
        marker = erasure_key(person) | to_item({"expires": ERASURE.expires(now)})
        self._records.put(marker, "mark erasure")

    def save_receipt(self, erased: ErasureReceipt) -> None:
        receipt = {"at": erased.erased_at, "version": erased.gallery_version, "counts": erased.counts}
        self._records.update(
            erasure_key(erased.person),
            "save receipt",
            UpdateExpression="SET receipt = :receipt",
            ExpressionAttributeValues=to_item({":receipt": receipt}),
        )

    def find_receipt(self, person: str) -> ErasureReceipt | None:
        row = self._records.get(erasure_key(person), "read receipt")
        if row is None or "receipt" not in row:
            return None
        receipt = row["receipt"]
        return ErasureReceipt(
            person, datetime.fromisoformat(receipt["at"]), receipt["version"], receipt["counts"]
        )

    def remove_references(self, person: str) -> Iterator[str]:
        """Remove the id from sightings and alerts, delete labels and suppressions; yield each row's kind.

        The drops lose the key of their photo first: the photo is deleted, and its key may contain a name.
        """
        rows = list(self._rows_about(person))
        for drop in _drop_ids(rows):
            self._remove_object_location(drop)
        for row in rows:
            kind = str(row["sk"]).split("#")[0]
            if kind == "sighting":
                self._update_row(row, "SET label = :erased REMOVE subject, tags, score")
            elif kind == "alert":
                self._update_row(row, "SET subject_id = :erased REMOVE subject")
            else:
                self._records.delete(_key(row), "delete row of person")
            yield f"{kind}s"

    def recognised_photos(self, person: str) -> Iterator[S3Object]:
        """The objects in which the person was recognised."""
        for drop in _drop_ids(self._rows_about(person)):
            row = self._records.get(drop_key(drop), "read drop", consistent=False)
            if row and "s3_object" in row:
                yield S3Object(**row["s3_object"])

    def delete_cached_answers(self, person: str) -> int:
        """Delete the stored API answers that contain the id; returns their number."""
        deleted = 0
        query: dict[str, Any] = {
            "TableName": self._callers.name,
            "FilterExpression": "contains(#data, :person)",
            "ExpressionAttributeNames": {"#data": "data"},
            "ExpressionAttributeValues": to_item({":person": person}),
        }
        while True:
            with translate_errors("callers", "scan callers"):
                answer = self._client.scan(**query)
            for row in answer["Items"]:
                self._callers.delete({"id": row["id"]}, "delete answer")
                deleted += 1
            if "LastEvaluatedKey" not in answer:
                return deleted
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _rows_about(self, person: str) -> Iterator[dict[str, Any]]:
        return self._records.query(
            "find rows of person",
            IndexName="subject",
            KeyConditionExpression="subject = :person",
            ExpressionAttributeValues=to_item({":person": person}),
        )

    def _update_row(self, row: dict[str, Any], update: str) -> None:
        self._records.update(
            _key(row),
            "remove person",
            UpdateExpression=update,
            ExpressionAttributeValues=to_item({":erased": ERASED_LABEL}),
        )

    def _remove_object_location(self, drop: str) -> None:
        self._records.update_if(
            drop_key(drop),
            "remove object location",
            UpdateExpression="REMOVE s3_object, #object",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeNames={"#object": "object"},
        )


def _key(row: dict[str, Any]) -> Item:
    return to_item({"pk": row["pk"], "sk": row["sk"]})


def _drop_ids(rows: Iterable[dict[str, Any]]) -> list[str]:
    """The drops that the rows are about, each once, sorted."""
    return sorted({row["drop_id"] for row in rows if "drop_id" in row})
