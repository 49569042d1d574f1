"""Galleries by name, as the API creates, lists and tags them, and the users of each."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from cloud.dynamodb.attributes import to_item
from cloud.dynamodb.queries import Table
from cloud.dynamodb.schema import GALLERY_POINTER, USER
from vigil.errors import ConcurrentUpdate
from vigil.people.person import User

DELETES_AT_ONCE = 16
"""Users of a gallery that are deleted at once."""


@dataclass(frozen=True, slots=True)
class CollectionView:
    """A gallery that was created or that somebody was enrolled in; `changed_at` is its last change."""

    name: str
    changed_at: datetime
    tags: Mapping[str, str] = field(default_factory=dict)


class DynamoCollections:
    """Names and tags of galleries; what is in them is written by enrolment."""

    def __init__(self, rows: Table) -> None:
        self._rows = rows

    def find(self, name: str) -> CollectionView | None:
        row = self._rows.get(GALLERY_POINTER.key(gallery=name), "read gallery")
        if row is None or "deleted_at" in row:
            return None
        return CollectionView(name, datetime.fromisoformat(row["at"]), row.get("tags", {}))

    def create(self, name: str, tags: Mapping[str, str], now: datetime) -> bool:
        """Create an empty gallery; False if it exists. One that was deleted continues its versions."""
        values: dict[str, Any] = {":zero": 0, ":none": {}, ":empty": [], ":now": now, ":tags": dict(tags)}
        created = self._rows.update_if(
            GALLERY_POINTER.key(gallery=name),
            "create gallery",
            UpdateExpression="SET #version = if_not_exists(#version, :zero), "
            "#keys = if_not_exists(#keys, :none), "
            "incomplete_spaces = if_not_exists(incomplete_spaces, :empty), "
            "#at = :now, tags = :tags REMOVE deleted_at",
            ConditionExpression="attribute_not_exists(pk) OR attribute_exists(deleted_at)",
            ExpressionAttributeNames={"#version": "version", "#keys": "keys", "#at": "at"},
            ExpressionAttributeValues=to_item(values),
        )
        return created is not None

    def change_tags(self, before: CollectionView, tags: Mapping[str, str]) -> None:
        """Replace the tags of a gallery. Raises ConcurrentUpdate if they changed since it was read."""
        unchanged = "tags = :before" if before.tags else "(attribute_not_exists(tags) OR tags = :before)"
        changed = self._rows.update_if(
            GALLERY_POINTER.key(gallery=before.name),
            "tag gallery",
            UpdateExpression="SET tags = :tags",
            ConditionExpression=f"attribute_exists(pk) AND attribute_not_exists(deleted_at) AND {unchanged}",
            ExpressionAttributeValues=to_item({":tags": dict(tags), ":before": dict(before.tags)}),
        )
        if changed is None:
            raise ConcurrentUpdate("another request changed the tags")

    def names_after(self, name: str) -> list[str]:
        """The names of all galleries after this one, sorted."""
        rows = self._rows.partition(
            GALLERY_POINTER.partition(),
            "list galleries",
            sk_from=name or " ",
            ProjectionExpression="sk, deleted_at",
        )
        return [row["sk"] for row in rows if row["sk"] != name and "deleted_at" not in row]


class DynamoUsers:
    """The users of galleries, without their faces."""

    def __init__(self, rows: Table) -> None:
        self._rows = rows

    def create(self, gallery: str, user: str, now: datetime) -> bool:
        """Create a user without faces; False if there is one of this id."""
        row = to_item({"revision": 0, "created_at": now})
        return self._rows.put_new(USER.key(gallery=gallery, user=user) | row, "create user")

    def find(self, gallery: str, user: str) -> User | None:
        row = self._rows.get(USER.key(gallery=gallery, user=user), "read user")
        return _user(gallery, row) if row else None

    def list_page(self, gallery: str, *, after: str, size: int) -> list[User]:
        return list(islice(self.list_after(gallery, after), size))

    def list_after(self, gallery: str, user: str) -> Iterator[User]:
        """The users of a gallery in the order of their ids, beginning after one."""
        rows = self._rows.partition(
            USER.partition(gallery=gallery),
            "list users",
            sk_from=user,
            ProjectionExpression="sk, person, revision",
        )
        return (_user(gallery, row) for row in rows if row["sk"] != user)

    def delete_all(self, gallery: str) -> None:
        """Delete the users of a gallery whose people are erased."""
        keys = [USER.key(gallery=gallery, user=one.id) for one in self.list_after(gallery, "")]
        with ThreadPoolExecutor(DELETES_AT_ONCE) as pool:
            list(pool.map(lambda key: self._rows.delete(key, "delete user"), keys))


def _user(gallery: str, row: dict[str, Any]) -> User:
    return User(gallery, row["sk"], row.get("person"), row["revision"])
