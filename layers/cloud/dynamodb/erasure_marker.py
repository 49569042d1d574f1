"""The row that exists from the beginning of a person's erasure."""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from cloud.dynamodb.attributes import Item, to_item
from vigil.people.consent import person_ids_in

ERASURE_MARKER_TTL = timedelta(days=1)
"""Nothing that was begun before is under way for as long: an invocation ends within fifteen minutes."""


def erasure_marker(person: str, now: datetime) -> Item:
    """It holds a hash: what is erased is not to be found in the row that says so."""
    return erasure_key(person) | to_item({"expires": int((now + ERASURE_MARKER_TTL).timestamp())})


def unless_being_erased(table: str, labels: Iterable[str]) -> list[Item]:
    """For a transaction, one condition for each person among labels: that their erasure has not begun."""
    return [
        {
            "ConditionCheck": {
                "TableName": table,
                "Key": erasure_key(person),
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }
        for person in person_ids_in(labels)
    ]


def erasure_key(person: str) -> Item:
    return to_item({"pk": f"erasure#{hashlib.sha256(person.encode()).hexdigest()[:32]}", "sk": "erasure"})
