"""What the lanes read and write about releases: pointers and shadow comparisons."""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from cloud.dynamodb.attributes import from_item, to_item
from cloud.dynamodb.queries import query_all
from cloud.errors import translate_errors
from vigil.errors import Transient
from vigil.releases.health import ExpectedHealth
from vigil.releases.lifecycle import (
    ReleasePointers,
)
from vigil.releases.shadow import ShadowComparison

MAX_CACHED_MODELS = 100
"""Names remembered: keys name models, and anybody who may drop can make names up."""


def pointers_key(model: str) -> dict[str, Any]:
    return to_item({"pk": "releases", "sk": model})


def pointers_from_row(row: Mapping[str, Any]) -> ReleasePointers:
    return ReleasePointers(
        active=row.get("active"),
        candidate=row.get("candidate"),
        previous=row.get("previous"),
        canary_share=float(row.get("canary_share", 0)),
        shadow_share=float(row.get("shadow_share", 0)),
        expected=ExpectedHealth(**{name: float(one) for name, one in row["expected"].items()})
        if row.get("expected")
        else None,
    )


class CachedPointers:
    """A model's pointers; where the table is away, those that were known last.

    fresh_s  seconds for which a look is good
    """

    def __init__(self, client: Any, table: str, *, max_age_s: float) -> None:
        self._client, self._table, self._max_age_s = client, table, max_age_s
        self._cached: dict[str, tuple[float, ReleasePointers]] = {}

    def __call__(self, model: str) -> ReleasePointers:
        now = time.monotonic()
        checked_at, known = self._cached.get(model, (float("-inf"), ReleasePointers()))
        if now - checked_at >= self._max_age_s:
            known = self._refresh(model, known)
            if len(self._cached) >= MAX_CACHED_MODELS:
                self._cached.clear()
            self._cached[model] = (now, known)
        return known

    def _refresh(self, model: str, known: ReleasePointers) -> ReleasePointers:
        try:
            return self._read(model)
        except Transient:
            return known

    def _read(self, model: str) -> ReleasePointers:
        with translate_errors("records", "read release pointers"):
            answer = self._client.get_item(
                TableName=self._table, Key=pointers_key(model), ConsistentRead=True
            )
        return pointers_from_row(from_item(answer["Item"])) if "Item" in answer else ReleasePointers()


COMPARISON_TTL = timedelta(days=30)


_COMPARISON_FIELDS = (
    "agreed",
    "failed",
    "failed_active",
    "latency_ms",
    "latency_ms_active",
    "nothing_recognised",
)


class DynamoComparisons:
    """One row a release and drop: told twice, it counts once."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def save(self, comparison: ShadowComparison, now: datetime) -> None:
        row = {
            "pk": f"shadow_comparison#{comparison.model}#{comparison.release}",
            "sk": comparison.drop_id,
            "at": now.isoformat(),
            "expires": int((now + COMPARISON_TTL).timestamp()),
            **{name: getattr(comparison, name) for name in _COMPARISON_FIELDS},
        }
        with translate_errors("records", "save comparison"):
            self._client.put_item(TableName=self._table, Item=to_item(row))

    def comparisons_since(self, model: str, release: str, since: datetime) -> tuple[ShadowComparison, ...]:
        """What a release has shown since then."""
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk",
            "FilterExpression": "#at >= :since",
            "ExpressionAttributeNames": {"#at": "at"},
            "ExpressionAttributeValues": to_item(
                {":pk": f"shadow_comparison#{model}#{release}", ":since": since.isoformat()}
            ),
        }
        rows = map(
            from_item, query_all(self._client, dependency="records", operation="read comparisons", **query)
        )
        return tuple(
            ShadowComparison(
                model, release, row["sk"], **{name: row[name] for name in _COMPARISON_FIELDS if name in row}
            )
            for row in rows
        )
