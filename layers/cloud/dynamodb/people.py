"""The galleries in force: a row points to a snapshot a space; lanes keep theirs in memory until it moves."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic

from botocore.exceptions import ClientError

from cloud.dynamodb.attributes import Item, from_item, to_item
from cloud.dynamodb.gallery import read_gallery_pointer
from cloud.dynamodb.queries import query_all
from cloud.errors import error_code, translate_errors
from vigil.errors import ConcurrentUpdate, VigilError
from vigil.people.consent import TRAINING_CONSENT_TAG
from vigil.people.enrolment import EnrolmentTemplate, G, Person, PersonChange
from vigil.people.gallery_pointer import GalleryPointer

# MERGED: Port People, in the people table; a row of it points to the snapshots that they are recognised by.


class DynamoPeople(Generic[G]):
    """Rows:

    person#<id>   profile, template#<version>-<n>: a photo's vector by space, and its portrait
    name#<name>   person: a name is one person's
    gallery       pointer: version, by space the key of the snapshot in force, spaces not whole yet

    store  puts a gallery's snapshots; their keys by space
    """

    def __init__(self, client: Any, table: str, *, store_gallery: Callable[[G], Mapping[str, str]]) -> None:
        self._client, self._table, self._store_gallery = client, table, store_gallery

    def find_by_name(self, name: str) -> Person | None:
        row = self._read_row(f"name#{name.casefold()}", "person")
        if row is None:
            return None
        return self.find_person(row["person"])

    def find_person(self, person_id: str) -> Person | None:
        """Who has an id; nobody whose erasure has begun."""
        profile = self._read_row(f"person#{person_id}", "profile")
        return _person_from_row(profile) if profile and "erasure_began_at" not in profile else None

    def begin_erasure(self, person_id: str, now: datetime) -> Person | None:
        """Mark a profile as one that is being erased: no other write holds from then on."""
        with translate_errors("people", "mark erasure"):
            try:
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=to_item({"pk": f"person#{person_id}", "sk": "profile"}),
                    UpdateExpression="SET erasure_began_at = :now",
                    ConditionExpression="attribute_exists(pk)",
                    ExpressionAttributeValues=to_item({":now": now.isoformat()}),
                    ReturnValues="ALL_NEW",
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                return None
        return _person_from_row(from_item(answer["Attributes"]))

    def commit(
        self,
        change: PersonChange,
        templates: Sequence[EnrolmentTemplate],
        *,
        base: int,
        gallery: G,
        now: datetime,
    ) -> None:
        person = change.after
        writes = [
            *self._profile_writes(change, now),
            *(
                self._put_write(_template_row(person, template, f"{gallery.version:08}-{number:02}", now))
                for number, template in enumerate(templates)
            ),
            self._pointer_put(base, gallery, now),
        ]
        self._transact("enrol", writes)

    def gallery_pointer(self) -> GalleryPointer:
        """What the pointer says; version 0 and no keys before the first."""
        return read_gallery_pointer(self._client, self._table)

    def replace_gallery(self, *, base: int, gallery: G, now: datetime) -> None:
        """Put a gallery in force in place of version `base`. Raises Overtaken."""
        self._transact("put gallery in force", [self._pointer_put(base, gallery, now)])

    def withdraw_consent(self, person_id: str) -> None:
        """Take back that a person may be learned from; of a set, DynamoDB deletes what is in it."""
        with translate_errors("people", "withdraw consent"):
            self._client.update_item(
                TableName=self._table,
                Key=to_item({"pk": f"person#{person_id}", "sk": "profile"}),
                UpdateExpression="DELETE tags :learn",
                ExpressionAttributeValues=to_item({":learn": {TRAINING_CONSENT_TAG}}),
            )

    def delete_templates(self, person: Person) -> int:
        """Delete templates and name; how many templates there were."""
        rows = query_all(
            self._client,
            dependency="people",
            operation="list templates",
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues=to_item({":pk": f"person#{person.id}", ":sk": "template#"}),
            ProjectionExpression="pk, sk",
        )
        templates = list(rows)
        name = to_item({"pk": f"name#{person.name.casefold()}", "sk": "person"})
        for key in (*templates, name):
            self._delete_row(key)
        return len(templates)

    def delete_profile(self, person_id: str) -> None:
        """Delete the profile."""
        self._delete_row(to_item({"pk": f"person#{person_id}", "sk": "profile"}))

    def _delete_row(self, key: Item) -> None:
        with translate_errors("people", "delete row"):
            self._client.delete_item(TableName=self._table, Key=key)

    def _profile_writes(self, change: PersonChange, now: datetime) -> list[Item]:
        """The profile, if it is still as it was read; of somebody new with their name."""
        put, after = self._put_write(profile_row(change.after, now)), change.after
        if change.before is not None:
            put["Put"] |= unless_changed(change.before)
            return [put]
        name = self._put_write({"pk": f"name#{after.name.casefold()}", "sk": "person", "person": after.id})
        for one in (put, name):
            one["Put"]["ConditionExpression"] = "attribute_not_exists(pk)"
        return [put, name]

    def _read_row(self, pk: str, sk: str) -> dict[str, Any] | None:
        key = to_item({"pk": pk, "sk": sk})
        with translate_errors("people", "read person"):
            answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return from_item(answer["Item"]) if "Item" in answer else None

    def _transact(self, operation: str, writes: list[Item]) -> None:
        with translate_errors("people", operation):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                if error_code(error) != "TransactionCanceledException":
                    raise
                raise ConcurrentUpdate("another change to the gallery came first") from error

    def _put_write(self, row: dict[str, Any]) -> Item:
        return {"Put": {"TableName": self._table, "Item": to_item(row)}}

    def _pointer_put(self, base: int, gallery: G, now: datetime) -> Item:
        """Stores the gallery's snapshots first."""
        row = {
            "pk": "gallery",
            "sk": "pointer",
            "version": gallery.version,
            "keys": self._store_gallery(gallery),
            "incomplete_spaces": sorted(gallery.incomplete_spaces),
            "at": now.isoformat(),
        }
        return {
            "Put": {
                "TableName": self._table,
                "Item": to_item(row),
                "ConditionExpression": "attribute_not_exists(pk) OR #version = :base",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": to_item({":base": base}),
            }
        }


def unless_changed(before: Person) -> Item:
    """The condition that a profile was not changed since, and is not being erased."""
    tags = "tags = :tags" if before.tags else "attribute_not_exists(tags)"
    return {
        "ConditionExpression": f"#name = :before AND {tags} AND attribute_not_exists(erasure_began_at)",
        "ExpressionAttributeNames": {"#name": "name"},
        "ExpressionAttributeValues": to_item({":before": before.name, ":tags": before.tags}),
    }


def _person_from_row(profile: dict[str, Any]) -> Person:
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


def _template_row(person: Person, template: EnrolmentTemplate, number: str, now: datetime) -> dict[str, Any]:
    reference_image = template.reference_image
    reference = (
        {"reference_image": reference_image.data, "reference_box_px": reference_image.box_px}
        if reference_image
        else {}
    )
    return reference | {
        "pk": f"person#{person.id}",
        "sk": f"template#{number}",
        "vectors": {space: vector.tobytes() for space, vector in template.vectors.items()},
        "quality": template.quality,
        "enrolled_at": now.isoformat(),
    }


# MERGED: People as rows, without their templates: made, found, listed, renamed.


class NameTaken(VigilError):
    """Somebody else has the name, or the person has changed meanwhile."""


class DynamoProfiles:
    """The people table for those who need no faces."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def find(self, ident: str) -> dict[str, Any] | None:
        """A person's profile, read consistently."""
        key = to_item({"pk": f"person#{ident}", "sk": "profile"})
        with translate_errors("people", "read person"):
            answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return from_item(answer["Item"]) if "Item" in answer else None

    def create(self, person: Person, now: datetime) -> None:
        """Somebody new, without a face yet. Raises NameTaken."""
        self._transact([self._put_write(profile_row(person, now)), self._name_put(person)])

    def rename(self, before: Person, name: str, now: datetime) -> None:
        """Another name for the same id. Raises NameTaken."""
        after = Person(before.id, name, before.tags)
        profile = self._put_write(profile_row(after, now))
        profile["Put"] |= unless_changed(before)
        writes = [profile]
        if name.casefold() != before.name.casefold():
            old = to_item({"pk": f"name#{before.name.casefold()}", "sk": "person"})
            writes += [self._name_put(after), {"Delete": {"TableName": self._table, "Key": old}}]
        self._transact(writes)

    def list_page(self, *, after: str, page_size: int) -> Iterator[dict[str, Any]]:
        """Profiles in the order of their ids, from an id on."""
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": "listing",
            "KeyConditionExpression": "list_key = :people AND person > :after",
            "ExpressionAttributeValues": to_item({":people": "people", ":after": after or " "}),
            "Limit": page_size,
        }
        return map(from_item, query_all(self._client, dependency="people", operation="list people", **query))

    def _name_put(self, person: Person) -> Item:
        put = self._put_write({"pk": f"name#{person.name.casefold()}", "sk": "person", "person": person.id})
        put["Put"]["ConditionExpression"] = "attribute_not_exists(pk)"
        return put

    def _put_write(self, row: dict[str, Any]) -> Item:
        return {"Put": {"TableName": self._table, "Item": to_item(row)}}

    def _transact(self, writes: list[Item]) -> None:
        with translate_errors("people", "write person"):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                if error_code(error) != "TransactionCanceledException":
                    raise
                raise NameTaken("somebody has that name") from error
