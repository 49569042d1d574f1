"""What releases showed on drops: noted by the lanes, counted by the function that moves releases."""

from datetime import datetime, timedelta
from typing import Any

from cloud.faults import faults
from cloud.items import fields, item
from cloud.pages import every
from vigil.learn.trial import Trial

KEPT = timedelta(days=30)
_FIELDS = ("agreed", "failed", "failed_other", "ms", "ms_other", "unsure")


class DynamoTrials:
    """One row a release and drop: told twice, it counts once."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def note(self, trial: Trial, now: datetime) -> None:
        row = {
            "pk": f"trial#{trial.model}#{trial.release}",
            "sk": trial.drop,
            "at": now.isoformat(),
            "expires": int((now + KEPT).timestamp()),
            **{name: getattr(trial, name) for name in _FIELDS},
        }
        with faults("note trial"):
            self._client.put_item(TableName=self._table, Item=item(row))

    def seen(self, model: str, release: str, since: datetime) -> tuple[Trial, ...]:
        """What a release has shown since then."""
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk",
            "FilterExpression": "#at >= :since",
            "ExpressionAttributeNames": {"#at": "at"},
            "ExpressionAttributeValues": item(
                {":pk": f"trial#{model}#{release}", ":since": since.isoformat()}
            ),
        }
        rows = map(fields, every(self._client, doing="read trials", **query))
        return tuple(
            Trial(model, release, row["sk"], **{name: row[name] for name in _FIELDS if name in row})
            for row in rows
        )
