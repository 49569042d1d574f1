"""A limit of calls per caller and minute, counted in the callers table."""

from datetime import datetime
from typing import Any

from cloud.dynamodb.attributes import to_item
from cloud.dynamodb.queries import Table
from cloud.dynamodb.schema import RATE_LIMIT

CALLS_PER_RESERVATION = 20
"""Calls that one container reserves at once, so that it asks DynamoDB once in so many calls."""


class DynamoRateLimiter:
    """At most `per_minute` calls in a minute of the clock, over all containers."""

    def __init__(self, client: Any, table: str, *, per_minute: int) -> None:
        self._rows, self._per_minute = Table(client, table, "callers"), per_minute
        self._remaining: dict[tuple[str, int], int] = {}

    def acquire(self, caller: str, now: datetime) -> float:
        """0 if the call is within the limit, else the seconds until the next minute."""
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
            ":expires": RATE_LIMIT.expires(now),
        }
        answer = self._rows.update_if(
            RATE_LIMIT.key(caller=caller, minute=minute),
            "reserve calls",
            UpdateExpression="SET expiration = :expires ADD calls :calls",
            ConditionExpression="attribute_not_exists(id) OR calls <= :limit",
            ExpressionAttributeValues=to_item(values),
        )
        return answer is not None
