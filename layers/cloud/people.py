"""Port People, in the people table, and the gallery in force, as a snapshot on S3 that a row points to."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic

from botocore.exceptions import ClientError

from cloud.faults import code, faults
from cloud.items import Item, fields, item
from cloud.pages import every
from vigil.flow.enrol import Change, G, Overtaken, Person, Template
from vigil.learn.consent import LEARN

_POINTER = item({"pk": "gallery", "sk": "pointer"})


class GalleryInForce(Generic[G]):
    """Reads the gallery that the pointer names, and keeps it in memory until the pointer moves.

    fresh_s  seconds for which a look at the pointer is good; 0 looks every time
    used     told at each use how many seconds ago that look was
    """

    def __init__(
        self,
        client: Any,
        table: str,
        *,
        load: Callable[[str], G],
        empty: G,
        fresh_s: float,
        used: Callable[[float], None] | None = None,
    ) -> None:
        self._client, self._table, self._load, self._fresh_s = client, table, load, fresh_s
        self._used = used
        self._held, self._key, self._looked = empty, "", float("-inf")
        self._empty = empty

    def __call__(self) -> G:
        now = time.monotonic()
        if now - self._looked >= self._fresh_s:
            key = self._pointed()
            if key != self._key:
                self._held, self._key = (self._load(key) if key else self._empty), key
            self._looked = now
        if self._used is not None:
            self._used(now - self._looked)
        return self._held

    def _pointed(self) -> str:
        with faults("read gallery pointer"):
            answer = self._client.get_item(TableName=self._table, Key=_POINTER, ConsistentRead=True)
        return str(fields(answer["Item"])["key"]) if "Item" in answer else ""


class DynamoPeople(Generic[G]):
    """Rows:

    person#<id>   profile, template#<version>-<n>
    name#<name>   person: a name is one person's
    gallery       pointer: version and key of the snapshot in force
    """

    def __init__(self, client: Any, table: str, *, store: Callable[[G], str]) -> None:
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
        key, person = self._store(gallery), change.after
        writes = [
            *self._profile(change, now),
            *(
                self._put(_template(person, template, f"{gallery.version:08}-{number:02}", now))
                for number, template in enumerate(templates)
            ),
            self._pointer(base, gallery.version, key, now),
        ]
        with faults("enrol"):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                if code(error) != "TransactionCanceledException":
                    raise
                raise Overtaken("another enrolment came first") from error

    def in_force(self) -> str:
        """The key of the gallery in force; "" where there is none."""
        row = self._row("gallery", "pointer")
        return str(row["key"]) if row else ""

    def closed(self, ident: str) -> None:
        """Take back that a person may be learned from; of a set, DynamoDB deletes what is in it."""
        with faults("withdraw consent"):
            self._client.update_item(
                TableName=self._table,
                Key=item({"pk": f"person#{ident}", "sk": "profile"}),
                UpdateExpression="DELETE tags :learn",
                ExpressionAttributeValues=item({":learn": {LEARN}}),
            )

    def withdraw(self, *, base: int, gallery: G, now: datetime) -> str:
        """Put a gallery in force in place of version `base`; its key. Raises Overtaken."""
        key = self._store(gallery)
        put = self._pointer(base, gallery.version, key, now)["Put"]
        with faults("withdraw"):
            try:
                self._client.put_item(**put)
            except ClientError as error:
                if code(error) != "ConditionalCheckFailedException":
                    raise
                raise Overtaken("an enrolment came first") from error
        return key

    def forget(self, person: Person) -> int:
        """Delete templates, name and profile, the profile last; how many templates there were."""
        values = item({":pk": f"person#{person.id}", ":sk": "template#"})
        condition = "pk = :pk AND begins_with(sk, :sk)"
        rows = every(
            self._client,
            TableName=self._table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ProjectionExpression="pk, sk",
        )
        templates = [{"pk": row["pk"], "sk": row["sk"]} for row in rows]
        name = item({"pk": f"name#{person.name.casefold()}", "sk": "person"})
        for key in (*templates, name, item({"pk": f"person#{person.id}", "sk": "profile"})):
            with faults("forget"):
                self._client.delete_item(TableName=self._table, Key=key)
        return len(templates)

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

    def _put(self, row: dict[str, Any]) -> Item:
        return {"Put": {"TableName": self._table, "Item": item(row)}}

    def _pointer(self, base: int, version: int, key: str, now: datetime) -> Item:
        row = {"pk": "gallery", "sk": "pointer", "version": version, "key": key, "at": now.isoformat()}
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
    return {
        "pk": f"person#{person.id}",
        "sk": f"template#{number}",
        "vector": template.vector.tobytes(),
        "quality": template.quality,
        "enrolled_at": now.isoformat(),
    }
