"""Newest-first lists over the records table: a day's rows of one kind, spread over a few index keys."""

import hashlib
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from heapq import merge
from typing import Any

from cloud.items import fields, item
from cloud.pages import every

SHARDS = 4
"""Index keys a day and kind: one partition takes about 1,000 writes a second."""

LAST = "~"
"""Later than any `list_at`."""


def listed(kind: str, ident: str, at: datetime) -> dict[str, str]:
    """The index attributes that put a row into the list of its kind and day."""
    return gathered(kind, at.date().isoformat(), ident, at)


def gathered(kind: str, group: str, ident: str, at: datetime) -> dict[str, str]:
    """The same for the list of a kind and group, whatever the day: for what is few, and read as a whole."""
    shard = int(hashlib.sha256(ident.encode()).hexdigest(), 16) % SHARDS
    return {"list_key": f"{kind}#{group}#{shard}", "list_at": f"{at.isoformat()}#{ident}"}


class Listing:
    """Reads the `listing` index: eventually consistent, as DynamoDB's indexes are."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def newest(
        self, kind: str, *, today: date, days: int, before: str = LAST, at_once: int = 1000
    ) -> Iterator[dict[str, Any]]:
        """Rows of a kind from `today` back over so many days, newest first.

        before   only rows whose `list_at` is earlier
        at_once  rows that one query of a shard brings at most
        """
        for back in range(days):
            day = (today - timedelta(days=back)).isoformat()
            shards = [self._pages(f"{kind}#{day}#{shard}", before, at_once) for shard in range(SHARDS)]
            yield from merge(*shards, key=lambda row: str(row["list_at"]), reverse=True)

    def group(
        self, kind: str, group: str, *, since: str = "", at_once: int = 1000
    ) -> Iterator[dict[str, Any]]:
        """Every row of a kind and group; with `since`, of those whose `list_at` is not earlier."""
        for shard in range(SHARDS):
            key = f"{kind}#{group}#{shard}"
            yield from self._between(key, since, at_once) if since else self._pages(key, LAST, at_once)

    def of_subject(
        self, subject: str, *, before: str = LAST, at_once: int = 1000
    ) -> Iterator[dict[str, Any]]:
        """Sightings of a known subject and alerts about it, newest first."""
        query = {
            "IndexName": "subject",
            "KeyConditionExpression": "subject = :subject AND list_at < :before",
            "ExpressionAttributeValues": item({":subject": subject, ":before": before}),
            "Limit": at_once,
        }
        return self._rows(query)

    def _pages(self, key: str, before: str, at_once: int) -> Iterator[dict[str, Any]]:
        query = {
            "IndexName": "listing",
            "KeyConditionExpression": "list_key = :key AND list_at < :before",
            "ExpressionAttributeValues": item({":key": key, ":before": before}),
            "Limit": at_once,
        }
        return self._rows(query)

    def _between(self, key: str, since: str, at_once: int) -> Iterator[dict[str, Any]]:
        query = {
            "IndexName": "listing",
            "KeyConditionExpression": "list_key = :key AND list_at >= :since",
            "ExpressionAttributeValues": item({":key": key, ":since": since}),
            "Limit": at_once,
        }
        return self._rows(query)

    def _rows(self, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        query = {**asked, "TableName": self._table, "ScanIndexForward": False}
        return map(fields, every(self._client, doing="list", **query))
