"""Port Traces: a person's id, taken out of whatever the records table says was seen of them."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from cloud.departed import departed_key, departed_row
from cloud.faults import code, faults
from cloud.items import fields, item
from cloud.pages import every
from vigil.drops import Object
from vigil.flow.erase import Erased

GONE = "erased"
"""What stands where the id stood."""


class DynamoTraces:
    """Rows that name a person are found through the index `subject`: they leave it as they are changed."""

    def __init__(self, client: Any, records: str, callers: str) -> None:
        self._client, self._records, self._callers = client, records, callers

    def end(self, person: str, now: datetime) -> None:
        """From now on nothing that names them is kept."""
        with faults("begin to erase"):
            self._client.put_item(TableName=self._records, Item=departed_row(person, now))

    def tell(self, erased: Erased) -> None:
        """Beside the mark that the erasure began; the id is not in it."""
        told = {"at": erased.at.isoformat(), "version": erased.gallery_version, "counts": erased.counts}
        with faults("keep receipt"):
            self._client.update_item(
                TableName=self._records,
                Key=departed_key(erased.person),
                UpdateExpression="SET told = :told",
                ExpressionAttributeValues=item({":told": told}),
            )

    def told(self, person: str) -> Erased | None:
        key = departed_key(person)
        with faults("read receipt"):
            answer = self._client.get_item(TableName=self._records, Key=key, ConsistentRead=True)
        told = fields(answer.get("Item", {})).get("told")
        if told is None:
            return None
        return Erased(person, datetime.fromisoformat(told["at"]), told["version"], told["counts"])

    def of(self, person: str) -> Iterator[str]:
        """Take the person out of every sighting and alert; labels and silences go altogether.

        Before, the drops forget where their photos lay: they have been deleted, and a key may be a name.
        """
        rows = list(self._found(person))
        for drop in _drops(rows):
            self._misplace(drop)
        for row in rows:
            kind = str(row["sk"]).split("#")[0]
            if kind == "sighting":
                self._change(row, "SET label = :gone REMOVE subject, tags, score")
            elif kind == "alert":
                self._change(row, "SET subject_id = :gone REMOVE subject")
            else:
                self._delete(self._records, {"pk": row["pk"], "sk": row["sk"]})
            yield f"{kind}s"

    def photos(self, person: str) -> Iterator[Object]:
        """Where the photos lie in which they were recognised."""
        for drop in _drops(self._found(person)):
            with faults("read drop"):
                answer = self._client.get_item(
                    TableName=self._records, Key=item({"pk": f"drop#{drop}", "sk": "drop"})
                )
            origin = fields(answer.get("Item", {})).get("origin")
            if origin:
                yield Object(**origin)

    def answers(self, person: str) -> int:
        """Delete kept answers that name them; they would be gone within a day."""
        deleted = 0
        query: dict[str, Any] = {
            "TableName": self._callers,
            "FilterExpression": "contains(#data, :person)",
            "ExpressionAttributeNames": {"#data": "data"},
            "ExpressionAttributeValues": item({":person": person}),
        }
        while True:
            with faults("scan answers"):
                answer = self._client.scan(**query)
            for row in answer["Items"]:
                self._delete(self._callers, {"id": fields(row)["id"]})
                deleted += 1
            if "LastEvaluatedKey" not in answer:
                return deleted
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _found(self, person: str) -> Iterator[dict[str, Any]]:
        rows = every(
            self._client,
            TableName=self._records,
            IndexName="subject",
            KeyConditionExpression="subject = :person",
            ExpressionAttributeValues=item({":person": person}),
        )
        return (fields(row) for row in rows)

    def _change(self, row: dict[str, Any], update: str) -> None:
        with faults("unlink"):
            self._client.update_item(
                TableName=self._records,
                Key=item({"pk": row["pk"], "sk": row["sk"]}),
                UpdateExpression=update,
                ExpressionAttributeValues=item({":gone": GONE}),
            )

    def _misplace(self, drop: str) -> None:
        with faults("forget where a photo lay"):
            try:
                self._client.update_item(
                    TableName=self._records,
                    Key=item({"pk": f"drop#{drop}", "sk": "drop"}),
                    UpdateExpression="REMOVE origin, #object",
                    ConditionExpression="attribute_exists(pk)",
                    ExpressionAttributeNames={"#object": "object"},
                )
            except ClientError as error:
                if code(error) != "ConditionalCheckFailedException":
                    raise

    def _delete(self, table: str, key: dict[str, Any]) -> None:
        with faults("delete row"):
            self._client.delete_item(TableName=table, Key=item(key))


def _drops(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Each drop that rows are about, once, in order."""
    return sorted({row["drop_id"] for row in rows if "drop_id" in row})
