"""Requests to DynamoDB that adapters share: single rows, pages, batches, conditional writes, transactions."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from cloud.dynamodb.attributes import Item, from_item, to_item
from cloud.dynamodb.schema import erasure_key
from cloud.errors import cancellation_reasons, error_code, translate_errors
from vigil.errors import Dependency, Transient
from vigil.people.consent import person_ids_in

BATCH_GET_MAX_KEYS = 100
"""Keys that DynamoDB reads in one call."""

MAX_BATCH_ATTEMPTS = 8
"""Calls for one batch, each for what the call before left unprocessed."""


def get_row(
    client: Any, table: str, key: Item, *, dependency: Dependency, operation: str, consistent: bool = True
) -> dict[str, Any] | None:
    """The row of this key as plain values; None if there is none."""
    with translate_errors(dependency, operation):
        answer = client.get_item(TableName=table, Key=key, ConsistentRead=consistent)
    return from_item(answer["Item"]) if "Item" in answer else None


def query_all(client: Any, *, dependency: Dependency, operation: str, **query: Any) -> Iterator[Item]:
    """All rows of a query as attribute values, page after page."""
    while True:
        with translate_errors(dependency, operation):
            answer = client.query(**query)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def query_partition(
    client: Any,
    table: str,
    pk: str,
    *,
    dependency: Dependency,
    operation: str,
    sk_prefix: str = "",
    sk_from: str = "",
    **more: Any,
) -> Iterator[dict[str, Any]]:
    """Rows of one partition as plain values, read consistently, in the order of their sort keys.

    sk_prefix  only rows whose sort key begins with this
    sk_from    only rows whose sort key is this or later
    """
    condition, values = "pk = :pk", {":pk": pk}
    if sk_prefix:
        condition, values = f"{condition} AND begins_with(sk, :sk)", values | {":sk": sk_prefix}
    if sk_from:
        condition, values = f"{condition} AND sk >= :sk", values | {":sk": sk_from}
    query = {
        "TableName": table,
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": to_item(values),
        "ConsistentRead": True,
        **more,
    }
    return map(from_item, query_all(client, dependency=dependency, operation=operation, **query))


def batch_get(
    client: Any,
    table: str,
    keys: Sequence[Item],
    *,
    dependency: Dependency,
    operation: str,
    **projection: Any,
) -> Iterator[Item]:
    """The rows of these keys that exist, read consistently, in any order."""
    for start in range(0, len(keys), BATCH_GET_MAX_KEYS):
        batch = list(keys[start : start + BATCH_GET_MAX_KEYS])
        requests: Item = {table: {"Keys": batch, "ConsistentRead": True, **projection}}
        for _ in range(MAX_BATCH_ATTEMPTS):
            with translate_errors(dependency, operation):
                answer = client.batch_get_item(RequestItems=requests)
            yield from answer["Responses"].get(table, ())
            requests = answer.get("UnprocessedKeys") or {}
            if not requests:
                break
        else:
            raise Transient("some keys were not processed", dependency=dependency, operation=operation)


def write_if(
    write: Callable[..., Item], *, dependency: Dependency, operation: str, **request: Any
) -> Item | None:
    """Send a conditional write; None if its condition does not hold.

    write  the client's method: put_item, update_item or delete_item
    """
    with translate_errors(dependency, operation):
        try:
            return write(**request)
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
    return None


def transact(client: Any, writes: Sequence[Item], *, dependency: Dependency, operation: str) -> list[str]:
    """Make all writes or none; if none, the reason code of each write, in order, else an empty list."""
    with translate_errors(dependency, operation):
        try:
            client.transact_write_items(TransactItems=list(writes))
        except ClientError as error:
            if error_code(error) != "TransactionCanceledException":
                raise
            return cancellation_reasons(error)
    return []


def unless_being_erased(table: str, labels: Sequence[str]) -> list[Item]:
    """Conditions of a transaction: of no person among the labels has the erasure begun."""
    return [
        {
            "ConditionCheck": {
                "TableName": table,
                "Key": erasure_key(person),
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }
        for person in person_ids_in(labels)
    ]


END_OF_LIST = "~"
"""Later than any `list_at`."""


class Listing:
    """Reads the indexes of the records table, newest row first; they are eventually consistent.

    All rows of one kind have one index key, so that a page is one query. Such a partition takes about 1,000
    writes of a kilobyte a second, some 300 drops; a larger deployment must spread `list_key` over more keys.
    """

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def newest(
        self, kind: str, *, since: datetime | None = None, before: str = END_OF_LIST, page_size: int = 1000
    ) -> Iterator[dict[str, Any]]:
        """Rows of a kind.

        before     only rows whose `list_at` is earlier
        page_size  the most rows of one query
        """
        oldest = since.astimezone(UTC).isoformat() if since else " "
        if oldest > before:
            return iter(())
        query = {
            "IndexName": "listing",
            "KeyConditionExpression": "list_key = :kind AND list_at BETWEEN :oldest AND :before",
            "ExpressionAttributeValues": to_item({":kind": kind, ":oldest": oldest, ":before": before}),
            "Limit": page_size,
        }
        return (row for row in self._rows(query) if row["list_at"] != before)

    def for_subject(
        self, subject: str, *, before: str = END_OF_LIST, page_size: int = 1000
    ) -> Iterator[dict[str, Any]]:
        """Sightings of a known subject and alerts about it."""
        query = {
            "IndexName": "subject",
            "KeyConditionExpression": "subject = :subject AND list_at < :before",
            "ExpressionAttributeValues": to_item({":subject": subject, ":before": before}),
            "Limit": page_size,
        }
        return self._rows(query)

    def _rows(self, conditions: dict[str, Any]) -> Iterator[dict[str, Any]]:
        query = {**conditions, "TableName": self._table, "ScanIndexForward": False}
        return map(from_item, query_all(self._client, dependency="records", operation="list rows", **query))
