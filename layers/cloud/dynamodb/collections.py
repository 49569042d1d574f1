"""Galleries by name, as the API creates and lists them: the rows of their pointers."""

from dataclasses import dataclass
from datetime import datetime

from cloud.dynamodb.attributes import to_item
from cloud.dynamodb.queries import Table
from cloud.dynamodb.schema import GALLERY_POINTER


@dataclass(frozen=True, slots=True)
class CollectionView:
    """A gallery that was created or that somebody was enrolled in; `changed_at` is its last change."""

    name: str
    version: int
    changed_at: datetime


class DynamoCollections:
    """Names of galleries; what is in them is written by enrolment."""

    def __init__(self, rows: Table) -> None:
        self._rows = rows

    def find(self, name: str) -> CollectionView | None:
        row = self._rows.get(GALLERY_POINTER.key(gallery=name), "read gallery")
        return CollectionView(name, row["version"], datetime.fromisoformat(row["at"])) if row else None

    def create(self, name: str, now: datetime) -> bool:
        """Create an empty gallery; False if it exists."""
        row = {"version": 0, "keys": {}, "incomplete_spaces": [], "at": now}
        return self._rows.put_new(GALLERY_POINTER.key(gallery=name) | to_item(row), "create gallery")

    def names_after(self, name: str) -> list[str]:
        """The names of all galleries after this one, sorted."""
        rows = self._rows.partition(
            GALLERY_POINTER.partition(), "list galleries", sk_from=name or " ", ProjectionExpression="sk"
        )
        return [row["sk"] for row in rows if row["sk"] != name]
