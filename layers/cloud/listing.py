"""Newest-first lists over the records table: a day's rows of one kind, spread over a few index keys."""

import hashlib
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from heapq import merge
from typing import Any

from cloud.faults import faults
from cloud.items import fields, item

SHARDS = 4
"""Index keys a day and kind: one partition takes about 1,000 writes a second."""


def listed(kind: str, ident: str, at: datetime) -> dict[str, str]:
    """The index attributes that put a row into the list of its kind and day."""
    shard = int(hashlib.sha256(ident.encode()).hexdigest(), 16) % SHARDS
    return {"list_key": f"{kind}#{at.date().isoformat()}#{shard}", "list_at": f"{at.isoformat()}#{ident}"}


class Listing:
    """Reads the `listing` index: eventually consistent, as DynamoDB's indexes are."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def newest(self, kind: str, *, today: date, days: int) -> Iterator[dict[str, Any]]:
        """Rows of a kind from `today` back over so many days, newest first."""
        for back in range(days):
            day = (today - timedelta(days=back)).isoformat()
            shards = [self._pages(f"{kind}#{day}#{shard}") for shard in range(SHARDS)]
            yield from merge(*shards, key=lambda row: str(row["list_at"]), reverse=True)

    def _pages(self, key: str) -> Iterator[dict[str, Any]]:
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": "listing",
            "KeyConditionExpression": "list_key = :key",
            "ExpressionAttributeValues": item({":key": key}),
            "ScanIndexForward": False,
        }
        while True:
            with faults("list"):
                answer = self._client.query(**query)
            yield from (fields(row) for row in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
