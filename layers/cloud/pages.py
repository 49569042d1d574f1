"""Every row of a query, page after page; many rows by their keys, as many at once as DynamoDB reads."""

from collections.abc import Iterator, Sequence
from typing import Any

from cloud.faults import faults
from cloud.items import Item
from vigil.errors import Transient


def every(client: Any, *, doing: str = "query", **query: Any) -> Iterator[Item]:
    """Rows as DynamoDB has them; `doing` is what a failure says was being done."""
    while True:
        with faults(doing):
            answer = client.query(**query)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


MOST = 100
"""Keys that DynamoDB reads in one call."""


def many(client: Any, table: str, keys: Sequence[Item], *, doing: str, **shown: Any) -> Iterator[Item]:
    """Those rows of these keys that there are, consistently; `shown` says which fields. Raises Transient."""
    for start in range(0, len(keys), MOST):
        wanted = {"Keys": list(keys[start : start + MOST]), "ConsistentRead": True, **shown}
        yield from _read(client, table, {table: wanted}, doing)


def _read(client: Any, table: str, ask: Item, doing: str) -> Iterator[Item]:
    for _ in range(8):
        with faults(doing):
            answer = client.batch_get_item(RequestItems=ask)
        yield from answer["Responses"].get(table, ())
        ask = answer.get("UnprocessedKeys") or {}
        if not ask:
            return
    raise Transient(f"{doing}: DynamoDB does not keep up")
