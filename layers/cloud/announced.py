"""Port Announcements, in the records table: what reconcile has announced again, and how often."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from cloud.faults import faults
from cloud.items import Item, fields, item
from cloud.pages import many
from vigil.errors import Transient
from vigil.steady.reconcile import Told

_BATCH = 25
"""Rows that DynamoDB writes in one call."""

_KEPT = timedelta(days=14)
"""As long as a message can wait."""


class DynamoAnnouncements:
    """Rows: drop#<id> announced, beside the drop's record if it has one by now."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def told(self, drops: Collection[str]) -> Mapping[str, Told]:
        keys = [_key(drop) for drop in sorted(drops)]
        rows = map(fields, many(self._client, self._table, keys, doing="read announcements"))
        return {row["drop_id"]: Told(datetime.fromisoformat(row["at"]), row["times"]) for row in rows}

    def note(self, told: Mapping[str, Told]) -> None:
        rows = [{"PutRequest": {"Item": _row(drop, one)}} for drop, one in told.items()]
        for start in range(0, len(rows), _BATCH):
            self._put({self._table: rows[start : start + _BATCH]})

    def _put(self, ask: Item) -> None:
        for _ in range(8):
            with faults("note announcements"):
                ask = self._client.batch_write_item(RequestItems=ask).get("UnprocessedItems") or {}
            if not ask:
                return
        raise Transient("note announcements: DynamoDB does not keep up")


def _key(drop: str) -> Item:
    return item({"pk": f"drop#{drop}", "sk": "announced"})


def _row(drop: str, told: Told) -> Item:
    expires = int((told.at + _KEPT).timestamp())
    return _key(drop) | item(
        {"drop_id": drop, "at": told.at.isoformat(), "times": told.times, "expires": expires}
    )
