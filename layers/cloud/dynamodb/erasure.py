"""Removes a person from the records and callers tables, and records each erasure.

The row ERASURE exists from the beginning of an erasure. Every transaction that would write the person's id
has the condition that it does not exist, so a result that is computed with an older gallery is refused.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from cloud.dynamodb.attributes import Item, from_item, to_item
from cloud.dynamodb.queries import get_row, query_all, write_if
from cloud.dynamodb.schema import ERASURE, drop_key, erasure_key
from cloud.errors import translate_errors
from vigil.drops.messages import S3Object
from vigil.errors import Dependency
from vigil.people.person import ErasureReceipt

ERASED_LABEL = "erased"
"""Replaces the person's id in sightings and alerts."""


class DynamoPersonData:
    """Finds rows of a person through the index `subject`; a row leaves the index when the id is removed."""

    def __init__(self, client: Any, records: str, callers: str) -> None:
        self._client, self._records, self._callers = client, records, callers

    def mark_being_erased(self, person: str, now: datetime) -> None:
        """From now on no transaction can write the person's id."""
        marker = erasure_key(person) | to_item({"expires": ERASURE.expires(now)})
        with translate_errors("records", "mark erasure"):
            self._client.put_item(TableName=self._records, Item=marker)

    def save_receipt(self, erased: ErasureReceipt) -> None:
        receipt = {"at": erased.erased_at, "version": erased.gallery_version, "counts": erased.counts}
        with translate_errors("records", "save receipt"):
            self._client.update_item(
                TableName=self._records,
                Key=erasure_key(erased.person),
                UpdateExpression="SET receipt = :receipt",
                ExpressionAttributeValues=to_item({":receipt": receipt}),
            )

    def find_receipt(self, person: str) -> ErasureReceipt | None:
        key = erasure_key(person)
        row = get_row(self._client, self._records, key, dependency="records", operation="read receipt")
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
                self._delete_row("records", self._records, {"pk": row["pk"], "sk": row["sk"]})
            yield f"{kind}s"

    def recognised_photos(self, person: str) -> Iterator[S3Object]:
        """The objects in which the person was recognised."""
        for drop in _drop_ids(self._rows_about(person)):
            row = get_row(
                self._client,
                self._records,
                drop_key(drop),
                dependency="records",
                operation="read drop",
                consistent=False,
            )
            if row and "s3_object" in row:
                yield S3Object(**row["s3_object"])

    def delete_cached_answers(self, person: str) -> int:
        """Delete the stored API answers that contain the id; returns their number."""
        deleted = 0
        query: dict[str, Any] = {
            "TableName": self._callers,
            "FilterExpression": "contains(#data, :person)",
            "ExpressionAttributeNames": {"#data": "data"},
            "ExpressionAttributeValues": to_item({":person": person}),
        }
        while True:
            with translate_errors("callers", "scan callers"):
                answer = self._client.scan(**query)
            for row in answer["Items"]:
                self._delete_row("callers", self._callers, {"id": from_item(row)["id"]})
                deleted += 1
            if "LastEvaluatedKey" not in answer:
                return deleted
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _rows_about(self, person: str) -> Iterator[dict[str, Any]]:
        rows = query_all(
            self._client,
            dependency="records",
            operation="find rows of person",
            TableName=self._records,
            IndexName="subject",
            KeyConditionExpression="subject = :person",
            ExpressionAttributeValues=to_item({":person": person}),
        )
        return map(from_item, rows)

    def _update_row(self, row: dict[str, Any], update: str) -> None:
        with translate_errors("records", "remove person"):
            self._client.update_item(
                TableName=self._records,
                Key=to_item({"pk": row["pk"], "sk": row["sk"]}),
                UpdateExpression=update,
                ExpressionAttributeValues=to_item({":erased": ERASED_LABEL}),
            )

    def _remove_object_location(self, drop: str) -> None:
        write_if(
            self._client.update_item,
            dependency="records",
            operation="remove object location",
            TableName=self._records,
            Key=drop_key(drop),
            UpdateExpression="REMOVE s3_object, #object",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeNames={"#object": "object"},
        )

    def _delete_row(self, dependency: Dependency, table: str, key: Item) -> None:
        with translate_errors(dependency, "delete row"):
            self._client.delete_item(TableName=table, Key=to_item(key))


def _drop_ids(rows: Iterable[dict[str, Any]]) -> list[str]:
    """The drops that the rows are about, each once, sorted."""
    return sorted({row["drop_id"] for row in rows if "drop_id" in row})
