"""How often one caller may ask: permits a minute, fetched from DynamoDB a handful at a time."""

from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from cloud.dynamodb.attributes import to_item
from cloud.errors import error_code, translate_errors

CALLS_PER_RESERVATION = 20
"""Permits that one warm function takes at once: it asks DynamoDB once in so many calls."""


class DynamoRateLimiter:
    """At most `per_minute` calls a caller and minute, over all functions; a minute begins on the clock."""

    def __init__(self, client: Any, table: str, *, per_minute: int) -> None:
        self._client, self._table, self._per_minute = client, table, per_minute
        self._remaining: dict[tuple[str, int], int] = {}

    def acquire(self, caller: str, now: datetime) -> float:
        """0 where the call may go on, else the seconds until the caller may ask again."""
        minute = int(now.timestamp()) // 60
        if not self._remaining.get((caller, minute)):
            self._remaining = {
                key: remaining for key, remaining in self._remaining.items() if key[1] == minute
            }
            if not self._reserve(caller, minute, now):
                return 60.0 - now.timestamp() % 60
            self._remaining[caller, minute] = min(CALLS_PER_RESERVATION, self._per_minute)
        self._remaining[caller, minute] -= 1
        return 0.0

    def _reserve(self, caller: str, minute: int, now: datetime) -> bool:
        calls = min(CALLS_PER_RESERVATION, self._per_minute)
        values = {
            ":calls": calls,
            ":limit": self._per_minute - calls,
            ":expires": int((now + timedelta(minutes=5)).timestamp()),
        }
        with translate_errors("callers", "reserve calls"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=to_item({"id": f"rate_limit#{caller}#{minute}"}),
                    UpdateExpression="SET expiration = :expires ADD calls :calls",
                    ConditionExpression="attribute_not_exists(id) OR calls <= :limit",
                    ExpressionAttributeValues=to_item(values),
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True
