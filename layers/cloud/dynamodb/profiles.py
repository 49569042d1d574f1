"""Profiles and names in the people table, without templates."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cloud.dynamodb.attributes import Item, to_item
from cloud.dynamodb.collections import DynamoCollections, DynamoUsers
from cloud.dynamodb.queries import Table, merge_lists, shard_page_size
from cloud.dynamodb.schema import NAME, list_key, list_keys, person_key
from cloud.errors import CONDITION_FAILED
from vigil.errors import ConcurrentUpdate, VigilError
from vigil.inference.types import DEFAULT_GALLERY
from vigil.people.person import Person, name_identity


class NameTaken(VigilError):
    """Another person in the gallery has the name."""


@dataclass(frozen=True, slots=True)
class PersonView:
    """A person's profile."""

    person: Person
    changed_at: datetime
    is_being_erased: bool = False


def _person_view(row: dict[str, Any]) -> PersonView:
    changed_at = datetime.fromisoformat(row["changed_at"])
    return PersonView(person_from_row(row), changed_at, "erasure_began_at" in row)


class DynamoProfiles:
    """Profiles of people for the API, without templates."""

    def __init__(self, client: Any, table: str) -> None:
        self._rows = Table(client, table, "people")
        self.collections, self.users = DynamoCollections(self._rows), DynamoUsers(self._rows)

    def find(self, person_id: str) -> PersonView | None:
        """A person's profile, read consistently."""
        row = self._rows.get(person_key(person_id), "read person")
        return _person_view(row) if row else None

    def find_all(self, person_ids: Collection[str]) -> list[Person]:
        """The people of these ids that exist, in any order."""
        keys = [person_key(one) for one in person_ids]
        return [person_from_row(row) for row in self._rows.batch_get(keys, "read people")]

    def create(self, person: Person, now: datetime) -> None:
        """Store a new person without templates. Raises NameTaken."""
        self._transact(
            [self._rows.put_write(profile_item(person, now)), self._rows.put_new_write(name_item(person))]
        )

    def rename(self, before: Person, name: str, now: datetime) -> None:
        """Change the name of a person. Raises NameTaken, ConcurrentUpdate."""
        after = replace(before, name=name)
        writes = [self._rows.put_write(profile_item(after, now), **unless_changed(before))]
        if name_identity(name) != name_identity(before.name):
            old_name = {"TableName": self._rows.name, "Key": name_key(before.name, before.gallery)}
            writes += [self._rows.put_new_write(name_item(after)), {"Delete": old_name}]
        self._transact(writes)

    def list_page(self, *, after: str, page_size: int) -> Iterator[PersonView]:
        """Profiles in the order of their ids, beginning after an id."""
        return list_profiles(self._rows, after=after, page_size=page_size)

    def _transact(self, writes: list[Item]) -> None:
        reasons = self._rows.transact(writes, "write person")
        if CONDITION_FAILED in reasons[:1]:
            raise ConcurrentUpdate("the person has changed since it was read")
        if reasons:
            raise NameTaken("another person has that name")


def list_profiles(rows: Table, *, after: str, page_size: int) -> Iterator[PersonView]:
    """All profiles in the order of their ids, beginning after an id; the index is eventually consistent."""
    lists = [
        rows.query(
            "list people",
            IndexName="listing",
            KeyConditionExpression="list_key = :key AND person > :after",
            ExpressionAttributeValues=to_item({":key": key, ":after": after or " "}),
            Limit=shard_page_size(page_size),
        )
        for key in list_keys("people")
    ]
    return map(_person_view, merge_lists(lists, "person"))


def unless_changed(before: Person) -> Item:
    """The condition that a profile has not changed since it was read and is not being erased."""
    tags = "tags = :tags" if before.tags else "attribute_not_exists(tags)"
    user = "user_id = :user" if before.user else "attribute_not_exists(user_id)"
    values = {":before": before.name, ":tags": before.tags, ":user": before.user}
    return {
        "ConditionExpression": f"#name = :before AND {tags} AND {user} "
        "AND attribute_not_exists(erasure_began_at)",
        "ExpressionAttributeNames": {"#name": "name"},
        "ExpressionAttributeValues": to_item(values),
    }


def profile_item(person: Person, now: datetime) -> Item:
    return person_key(person.id) | to_item(
        {
            "person": person.id,
            "name": person.name,
            "gallery": person.gallery,
            "tags": person.tags,
            "user_id": person.user,
            "changed_at": now,
            "list_key": list_key("people", person.id),
        }
    )


def person_from_row(row: dict[str, Any]) -> Person:
    return Person(
        row["person"],
        row["name"],
        frozenset(row.get("tags", ())),
        row.get("gallery", DEFAULT_GALLERY),
        row.get("user_id"),
    )


def name_key(name: str, gallery: str) -> Item:
    """Names in one gallery differ by more than case and the form of their accents."""
    return NAME.key(gallery=gallery, name=name_identity(name))


def name_item(person: Person) -> Item:
    return name_key(person.name, person.gallery) | to_item({"person": person.id})
