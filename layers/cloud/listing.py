"""Newest-first lists over the records table: all rows of one kind under one index key, by time.

So a page is one query, however many days it spans. The price is one partition of the index a kind, which
takes about 1,000 writes of a kilobyte a second: some 300 drops. Who needs more spreads `list_key` over a
few keys here, and pays a query a key.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from cloud.items import fields, item
from cloud.pages import every

LAST = "~"
"""Later than any `list_at`."""


def listed(kind: str, ident: str, at: datetime) -> dict[str, str]:
    """The index attributes that put a row into the list of its kind."""
    return {"list_key": kind, "list_at": f"{at.isoformat()}#{ident}"}


class Listing:
    """Reads the `listing` index: eventually consistent, as DynamoDB's indexes are."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def newest(
        self, kind: str, *, since: datetime | None = None, before: str = LAST, at_once: int = 1000
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
            "ExpressionAttributeValues": item({":kind": kind, ":oldest": oldest, ":before": before}),
            "Limit": at_once,
        }
        return (row for row in self._rows(query) if row["list_at"] != before)

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

    def _rows(self, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        query = {**asked, "TableName": self._table, "ScanIndexForward": False}
        return map(fields, every(self._client, doing="list", **query))
