"""How often one caller may ask: permits a minute, fetched from DynamoDB a handful at a time."""

from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from cloud.faults import code, faults
from cloud.items import item

HANDFUL = 20
"""Permits that one warm function takes at once: it asks DynamoDB once in so many calls."""


class DynamoPermits:
    """At most `per_minute` calls a caller and minute, over all functions; a minute begins on the clock."""

    def __init__(self, client: Any, table: str, *, per_minute: int) -> None:
        self._client, self._table, self._per_minute = client, table, per_minute
        self._left: dict[tuple[str, int], int] = {}

    def take(self, caller: str, now: datetime) -> float:
        """0 where the call may go on, else the seconds until the caller may ask again."""
        minute = int(now.timestamp()) // 60
        if not self._left.get((caller, minute)):
            self._left = {key: left for key, left in self._left.items() if key[1] == minute}
            if not self._fetch(caller, minute, now):
                return 60.0 - now.timestamp() % 60
            self._left[caller, minute] = min(HANDFUL, self._per_minute)
        self._left[caller, minute] -= 1
        return 0.0

    def _fetch(self, caller: str, minute: int, now: datetime) -> bool:
        handful = min(HANDFUL, self._per_minute)
        values = {
            ":handful": handful,
            ":most": self._per_minute - handful,
            ":expires": int((now + timedelta(minutes=5)).timestamp()),
        }
        with faults("take permits"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=item({"id": f"permits#{caller}#{minute}"}),
                    UpdateExpression="SET expiration = :expires ADD taken :handful",
                    ConditionExpression="attribute_not_exists(id) OR taken <= :most",
                    ExpressionAttributeValues=item(values),
                )
            except ClientError as error:
                if code(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True
