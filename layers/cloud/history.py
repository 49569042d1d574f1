"""Ports Records and Diary, in the records table: many records at once, and the lines beside one."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cloud.faults import faults
from cloud.items import fields, item
from cloud.pages import many
from vigil.drops import Object
from vigil.steady.record import Record

_READ = "drop_id, #state, attempts, #until, stage, #error, #release, origin"
_NAMES = {"#state": "state", "#until": "until", "#error": "error", "#release": "release"}


class DynamoHistory:
    """Rows: drop#<id> drop, as the ledger writes it; drop#<id> note#<time>, what was done about it."""

    def __init__(self, client: Any, table: str, *, retention: timedelta) -> None:
        self._client, self._table, self._retention = client, table, retention

    def read(self, drops: Collection[str]) -> Mapping[str, Record]:
        keys = [item({"pk": f"drop#{drop}", "sk": "drop"}) for drop in sorted(drops)]
        shown = {"ProjectionExpression": _READ, "ExpressionAttributeNames": _NAMES}
        rows = many(self._client, self._table, keys, doing="read records", **shown)
        return {record.drop: record for record in (_record(fields(row)) for row in rows)}

    def note(self, drop: str, *, deed: str, why: str, now: datetime) -> None:
        row = {
            "pk": f"drop#{drop}",
            "sk": f"note#{now.isoformat()}",
            "drop_id": drop,
            "deed": deed,
            "why": why,
            "expires": int((now + self._retention).timestamp()),
        }
        with faults(f"note {drop}"):
            self._client.put_item(TableName=self._table, Item=item(row))


def _record(row: Mapping[str, Any]) -> Record:
    return Record(
        drop=row["drop_id"],
        state=row["state"],
        attempts=row["attempts"],
        until=datetime.fromtimestamp(row["until"], UTC),
        stage=row.get("stage", ""),
        error=row.get("error", ""),
        release=row.get("release", ""),
        where=Object(**row["origin"]) if "origin" in row else None,
    )
