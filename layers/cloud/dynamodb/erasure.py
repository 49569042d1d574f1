"""Whose erasure has begun: a row that no transaction gets past which would still keep something of theirs.

A lane may have matched against the gallery from before they left it, a reviewer may have opened an alert:
what they commit afterwards is refused, however late it comes.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from cloud.dynamodb.attributes import from_item, to_item
from cloud.dynamodb.erasure_marker import erasure_key, erasure_marker
from cloud.dynamodb.queries import query_all
from cloud.errors import error_code, translate_errors
from vigil.drops.messages import S3Object
from vigil.errors import Dependency
from vigil.people.erasure import ErasureReceipt

# MERGED: Port Traces: a person's id, taken out of whatever the records table says was seen of them.

ERASED_LABEL = "erased"
"""What stands where the id stood."""


class DynamoPersonData:
    """Rows that name a person are found through the index `subject`: they leave it as they are changed."""

    def __init__(self, client: Any, records: str, callers: str) -> None:
        self._client, self._records, self._callers = client, records, callers

    def mark_being_erased(self, person: str, now: datetime) -> None:
        """From now on nothing that names them is kept."""
        with translate_errors("records", "mark erasure"):
            self._client.put_item(TableName=self._records, Item=erasure_marker(person, now))

    def save_receipt(self, erased: ErasureReceipt) -> None:
        """Beside the mark that the erasure began; the id is not in it."""
        receipt = {
            "at": erased.erased_at.isoformat(),
            "version": erased.gallery_version,
            "counts": erased.counts,
        }
        with translate_errors("records", "save receipt"):
            self._client.update_item(
                TableName=self._records,
                Key=erasure_key(erased.person),
                UpdateExpression="SET receipt = :receipt",
                ExpressionAttributeValues=to_item({":receipt": receipt}),
            )

    def find_receipt(self, person: str) -> ErasureReceipt | None:
        key = erasure_key(person)
        with translate_errors("records", "read receipt"):
            answer = self._client.get_item(TableName=self._records, Key=key, ConsistentRead=True)
        receipt = from_item(answer.get("Item", {})).get("receipt")
        if receipt is None:
            return None
        return ErasureReceipt(
            person, datetime.fromisoformat(receipt["at"]), receipt["version"], receipt["counts"]
        )

    def remove_references(self, person: str) -> Iterator[str]:
        """Take the person out of every sighting and alert; labels and silences go altogether.

        Before, the drops forget where their photos lay: they have been deleted, and a key may be a name.
        """
        rows = list(self._rows_about(person))
        for drop in _drop_ids(rows):
            self._remove_object_location(drop)
        for row in rows:
            kind = str(row["sk"]).split("#")[0]
            if kind == "sighting":
                self._update_row(row, "SET label = :gone REMOVE subject, tags, score")
            elif kind == "alert":
                self._update_row(row, "SET subject_id = :gone REMOVE subject")
            else:
                self._delete_row("records", self._records, {"pk": row["pk"], "sk": row["sk"]})
            yield f"{kind}s"

    def recognised_photos(self, person: str) -> Iterator[S3Object]:
        """Where the photos lie in which they were recognised."""
        for drop in _drop_ids(self._rows_about(person)):
            with translate_errors("records", "read drop"):
                answer = self._client.get_item(
                    TableName=self._records, Key=to_item({"pk": f"drop#{drop}", "sk": "drop"})
                )
            origin = from_item(answer.get("Item", {})).get("s3_object")
            if origin:
                yield S3Object(**origin)

    def delete_cached_answers(self, person: str) -> int:
        """Delete kept answers that name them; they would be gone within a day."""
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
        return (from_item(row) for row in rows)

    def _update_row(self, row: dict[str, Any], update: str) -> None:
        with translate_errors("records", "remove person"):
            self._client.update_item(
                TableName=self._records,
                Key=to_item({"pk": row["pk"], "sk": row["sk"]}),
                UpdateExpression=update,
                ExpressionAttributeValues=to_item({":gone": ERASED_LABEL}),
            )

    def _remove_object_location(self, drop: str) -> None:
        with translate_errors("records", "remove object reference"):
            try:
                self._client.update_item(
                    TableName=self._records,
                    Key=to_item({"pk": f"drop#{drop}", "sk": "drop"}),
                    UpdateExpression="REMOVE s3_object, #object",
                    ConditionExpression="attribute_exists(pk)",
                    ExpressionAttributeNames={"#object": "object"},
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise

    def _delete_row(self, dependency: Dependency, table: str, key: dict[str, Any]) -> None:
        with translate_errors(dependency, "delete row"):
            self._client.delete_item(TableName=table, Key=to_item(key))


def _drop_ids(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Each drop that rows are about, once, in order."""
    return sorted({row["drop_id"] for row in rows if "drop_id" in row})
