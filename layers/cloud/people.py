"""Port People, in the people table; a row of it points to the snapshots that they are recognised by."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic

from botocore.exceptions import ClientError

from cloud.faults import code, faults
from cloud.galleries import pointed
from cloud.items import Item, fields, item
from cloud.pages import every
from vigil.flow.enrol import Change, G, Overtaken, Person
from vigil.flow.in_force import InForce, Template
from vigil.learn.consent import LEARN


class DynamoPeople(Generic[G]):
    """Rows:

    person#<id>   profile, template#<version>-<n>: a photo's vector by space, and its portrait
    name#<name>   person: a name is one person's
    gallery       pointer: version, by space the key of the snapshot in force, spaces not whole yet

    store  puts a gallery's snapshots; their keys by space
    """

    def __init__(self, client: Any, table: str, *, store: Callable[[G], Mapping[str, str]]) -> None:
        self._client, self._table, self._store = client, table, store

    def named(self, name: str) -> Person | None:
        row = self._row(f"name#{name.casefold()}", "person")
        if row is None:
            return None
        return self.person(row["person"])

    def person(self, ident: str) -> Person | None:
        """Who has an id; nobody whose erasure has begun."""
        profile = self._row(f"person#{ident}", "profile")
        return _person(profile) if profile and "leaving" not in profile else None

    def leave(self, ident: str, now: datetime) -> Person | None:
        """Mark a profile as one that is being erased: no other write holds from then on."""
        with faults("begin to erase"):
            try:
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=item({"pk": f"person#{ident}", "sk": "profile"}),
                    UpdateExpression="SET leaving = :now",
                    ConditionExpression="attribute_exists(pk)",
                    ExpressionAttributeValues=item({":now": now.isoformat()}),
                    ReturnValues="ALL_NEW",
                )
            except ClientError as error:
                if code(error) != "ConditionalCheckFailedException":
                    raise
                return None
        return _person(fields(answer["Attributes"]))

    def commit(
        self, change: Change, templates: Sequence[Template], *, base: int, gallery: G, now: datetime
    ) -> None:
        person = change.after
        writes = [
            *self._profile(change, now),
            *(
                self._put(_template(person, template, f"{gallery.version:08}-{number:02}", now))
                for number, template in enumerate(templates)
            ),
            self._pointer(base, gallery, now),
        ]
        self._transact("enrol", writes)

    def in_force(self) -> InForce:
        """What the pointer says; version 0 and no keys before the first."""
        return pointed(self._client, self._table)

    def withdraw(self, *, base: int, gallery: G, now: datetime) -> None:
        """Put a gallery in force in place of version `base`. Raises Overtaken."""
        self._transact("put gallery in force", [self._pointer(base, gallery, now)])

    def closed(self, ident: str) -> None:
        """Take back that a person may be learned from; of a set, DynamoDB deletes what is in it."""
        with faults("withdraw consent"):
            self._client.update_item(
                TableName=self._table,
                Key=item({"pk": f"person#{ident}", "sk": "profile"}),
                UpdateExpression="DELETE tags :learn",
                ExpressionAttributeValues=item({":learn": {LEARN}}),
            )

    def forget(self, person: Person) -> int:
        """Delete templates and name; how many templates there were."""
        rows = every(
            self._client,
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues=item({":pk": f"person#{person.id}", ":sk": "template#"}),
            ProjectionExpression="pk, sk",
        )
        templates = list(rows)
        name = item({"pk": f"name#{person.name.casefold()}", "sk": "person"})
        for key in (*templates, name):
            self._delete(key)
        return len(templates)

    def gone(self, ident: str) -> None:
        """Delete the profile."""
        self._delete(item({"pk": f"person#{ident}", "sk": "profile"}))

    def _delete(self, key: Item) -> None:
        with faults("forget"):
            self._client.delete_item(TableName=self._table, Key=key)

    def _profile(self, change: Change, now: datetime) -> list[Item]:
        """The profile, if it is still as it was read; of somebody new with their name."""
        put, after = self._put(profile_row(change.after, now)), change.after
        if change.before is not None:
            put["Put"] |= as_it_was(change.before)
            return [put]
        name = self._put({"pk": f"name#{after.name.casefold()}", "sk": "person", "person": after.id})
        for one in (put, name):
            one["Put"]["ConditionExpression"] = "attribute_not_exists(pk)"
        return [put, name]

    def _row(self, pk: str, sk: str) -> dict[str, Any] | None:
        key = item({"pk": pk, "sk": sk})
        with faults("read people"):
            answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return fields(answer["Item"]) if "Item" in answer else None

    def _transact(self, doing: str, writes: list[Item]) -> None:
        with faults(doing):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                if code(error) != "TransactionCanceledException":
                    raise
                raise Overtaken("another change to the gallery came first") from error

    def _put(self, row: dict[str, Any]) -> Item:
        return {"Put": {"TableName": self._table, "Item": item(row)}}

    def _pointer(self, base: int, gallery: G, now: datetime) -> Item:
        """Stores the gallery's snapshots first."""
        row = {
            "pk": "gallery",
            "sk": "pointer",
            "version": gallery.version,
            "keys": self._store(gallery),
            "growing": sorted(gallery.growing),
            "at": now.isoformat(),
        }
        return {
            "Put": {
                "TableName": self._table,
                "Item": item(row),
                "ConditionExpression": "attribute_not_exists(pk) OR #version = :base",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": item({":base": base}),
            }
        }


def as_it_was(before: Person) -> Item:
    """The condition that a profile was not changed since, and is not being erased."""
    tags = "tags = :tags" if before.tags else "attribute_not_exists(tags)"
    return {
        "ConditionExpression": f"#name = :before AND {tags} AND attribute_not_exists(leaving)",
        "ExpressionAttributeNames": {"#name": "name"},
        "ExpressionAttributeValues": item({":before": before.name, ":tags": before.tags}),
    }


def _person(profile: dict[str, Any]) -> Person:
    return Person(profile["person"], profile["name"], frozenset(profile.get("tags", ())))


def profile_row(person: Person, now: datetime) -> dict[str, Any]:
    return {
        "pk": f"person#{person.id}",
        "sk": "profile",
        "person": person.id,
        "name": person.name,
        "tags": person.tags,
        "changed_at": now.isoformat(),
        "list_key": "people",
    }


def _template(person: Person, template: Template, number: str, now: datetime) -> dict[str, Any]:
    portrait = template.portrait
    kept = {"portrait": portrait.data, "portrait_box_px": portrait.box_px} if portrait else {}
    return kept | {
        "pk": f"person#{person.id}",
        "sk": f"template#{number}",
        "vectors": {space: vector.tobytes() for space, vector in template.vectors.items()},
        "quality": template.quality,
        "enrolled_at": now.isoformat(),
    }
