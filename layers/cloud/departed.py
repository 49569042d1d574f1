"""Whose erasure has begun: a row that no transaction gets past which would still keep something of theirs.

A lane may have matched against the gallery from before they left it, a reviewer may have opened an alert:
what they commit afterwards is refused, however late it comes.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from cloud.items import Item, item
from vigil.learn.consent import people_in

KEPT = timedelta(days=1)
"""Nothing that was begun before is under way for as long: an invocation ends within fifteen minutes."""


def departed_row(person: str, now: datetime) -> Item:
    """It holds a hash: what is erased is not to be found in the row that says so."""
    return departed_key(person) | item({"expires": int((now + KEPT).timestamp())})


def unless_departed(table: str, labels: Iterable[str]) -> list[Item]:
    """For a transaction, one condition for each person among labels: that their erasure has not begun."""
    return [
        {
            "ConditionCheck": {
                "TableName": table,
                "Key": departed_key(person),
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }
        for person in people_in(labels)
    ]


def departed_key(person: str) -> Item:
    return item({"pk": f"departed#{hashlib.sha256(person.encode()).hexdigest()[:32]}", "sk": "departed"})
