"""Every row of a query, page after page."""

from collections.abc import Iterator
from typing import Any

from cloud.faults import faults
from cloud.items import Item


def every(client: Any, *, doing: str = "query", **query: Any) -> Iterator[Item]:
    """Rows as DynamoDB has them; `doing` is what a failure says was being done."""
    while True:
        with faults(doing):
            answer = client.query(**query)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
