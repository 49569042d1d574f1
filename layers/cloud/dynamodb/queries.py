"""Every row of a query, page after page; many rows by their keys, as many at once as DynamoDB reads."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from cloud.dynamodb.attributes import Item, from_item, to_item
from cloud.errors import translate_errors
from vigil.errors import Dependency, Transient


def query_all(client: Any, *, dependency: Dependency, operation: str, **query: Any) -> Iterator[Item]:
    """Rows as DynamoDB has them; `doing` is what a failure says was being done."""
    while True:
        with translate_errors(dependency, operation):
            answer = client.query(**query)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


BATCH_GET_MAX_KEYS = 100
"""Keys that DynamoDB reads in one call."""


def batch_get(
    client: Any,
    table: str,
    keys: Sequence[Item],
    *,
    dependency: Dependency,
    operation: str,
    **projection: Any,
) -> Iterator[Item]:
    """Those rows of these keys that there are, consistently; `shown` says which fields. Raises Transient."""
    for start in range(0, len(keys), BATCH_GET_MAX_KEYS):
        request = {
            "Keys": list(keys[start : start + BATCH_GET_MAX_KEYS]),
            "ConsistentRead": True,
            **projection,
        }
        yield from _batch_get_page(client, table, {table: request}, dependency, operation)


def _batch_get_page(
    client: Any, table: str, request_items: Item, dependency: Dependency, operation: str
) -> Iterator[Item]:
    for _ in range(8):
        with translate_errors(dependency, operation):
            answer = client.batch_get_item(RequestItems=request_items)
        yield from answer["Responses"].get(table, ())
        request_items = answer.get("UnprocessedKeys") or {}
        if not request_items:
            return
    raise Transient("some keys were not processed", dependency=dependency, operation=operation)


# MERGED: Newest-first lists over the records table: all rows of one kind under one index key, by time. / So
#   a page is one query, however many days it spans. The price is one partition of the index a kind, which /
#   takes about 1,000 writes of a kilobyte a second: some 300 drops. Who needs more spreads `list_key` over
#   a / few keys here, and pays a query a key.

END_OF_LIST = "~"
"""Later than any `list_at`."""


def listing_attributes(kind: str, row_id: str, at: datetime) -> dict[str, str]:
    """The index attributes that put a row into the list of its kind."""
    return {"list_key": kind, "list_at": f"{at.isoformat()}#{row_id}"}


class Listing:
    """Reads the `listing` index: eventually consistent, as DynamoDB's indexes are."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def newest(
        self, kind: str, *, since: datetime | None = None, before: str = END_OF_LIST, page_size: int = 1000
    ) -> Iterator[dict[str, Any]]:
        """Rows of a kind, newest first.

        before   only rows whose `list_at` is earlier
        at_once  rows that one query brings at most
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
        """Sightings of a known subject and alerts about it, newest first."""
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
