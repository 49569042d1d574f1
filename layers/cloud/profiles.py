"""People as rows, without their templates: made, found, listed, renamed."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from cloud.faults import code, faults
from cloud.items import Item, fields, item
from cloud.pages import every
from cloud.people import as_it_was, profile_row
from vigil.errors import VigilError
from vigil.flow.enrol import Person


class NameTaken(VigilError):
    """Somebody else has the name, or the person has changed meanwhile."""


class Profiles:
    """The people table for those who need no faces."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def find(self, ident: str) -> dict[str, Any] | None:
        """A person's profile, read consistently."""
        key = item({"pk": f"person#{ident}", "sk": "profile"})
        with faults("read person"):
            answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return fields(answer["Item"]) if "Item" in answer else None

    def create(self, person: Person, now: datetime) -> None:
        """Somebody new, without a face yet. Raises NameTaken."""
        self._write([self._put(profile_row(person, now)), self._named(person)])

    def rename(self, before: Person, name: str, now: datetime) -> None:
        """Another name for the same id. Raises NameTaken."""
        after = Person(before.id, name, before.tags)
        profile = self._put(profile_row(after, now))
        profile["Put"] |= as_it_was(before)
        writes = [profile]
        if name.casefold() != before.name.casefold():
            old = item({"pk": f"name#{before.name.casefold()}", "sk": "person"})
            writes += [self._named(after), {"Delete": {"TableName": self._table, "Key": old}}]
        self._write(writes)

    def listed(self, *, after: str, at_once: int) -> Iterator[dict[str, Any]]:
        """Profiles in the order of their ids, from an id on."""
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": "listing",
            "KeyConditionExpression": "list_key = :people AND person > :after",
            "ExpressionAttributeValues": item({":people": "people", ":after": after or " "}),
            "Limit": at_once,
        }
        return map(fields, every(self._client, doing="list people", **query))

    def _named(self, person: Person) -> Item:
        put = self._put({"pk": f"name#{person.name.casefold()}", "sk": "person", "person": person.id})
        put["Put"]["ConditionExpression"] = "attribute_not_exists(pk)"
        return put

    def _put(self, row: dict[str, Any]) -> Item:
        return {"Put": {"TableName": self._table, "Item": item(row)}}

    def _write(self, writes: list[Item]) -> None:
        with faults("write person"):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                if code(error) != "TransactionCanceledException":
                    raise
                raise NameTaken("somebody has that name") from error
