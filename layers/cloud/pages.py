"""Every row of a query, page after page."""

from collections.abc import Iterator
from typing import Any

from cloud.faults import faults
from cloud.items import Item


def every(client: Any, **query: Any) -> Iterator[Item]:
    """Rows as DynamoDB has them."""
    while True:
        with faults("query"):
            answer = client.query(**query)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
