"""Requests to one table: single rows, pages, batches, conditional writes and transactions."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from heapq import merge
from itertools import chain, islice
from operator import itemgetter
from typing import Any

from botocore.exceptions import ClientError

from cloud.dynamodb.attributes import Item, from_item, to_item
from cloud.dynamodb.schema import LIST_SHARDS, TTL_ATTRIBUTES, erasure_key, list_keys
from cloud.errors import (
    CONDITION_FAILED,
    cancellation_reasons,
    error_code,
    pause,
    repeat_conflicts,
    translate_errors,
)
from vigil.errors import Dependency, Transient
from vigil.people.consent import person_ids_in

BATCH_GET_MAX_KEYS = 100
BATCH_WRITE_MAX_ITEMS = 25
"""What DynamoDB reads and writes in one call."""

MAX_BATCH_ATTEMPTS = 8
"""Calls for one batch, each for what the call before left unprocessed."""

END_OF_LIST = "~"
"""Later than any `list_at`."""

Cursor = Mapping[str, Any]
"""The key after which a walk over a table continues, as plain values; empty at its beginning and its end."""


def now_s() -> float:
    """The Unix time at which a row has expired."""
    return time.time()


def is_live(row: Mapping[str, Any]) -> bool:
    """Whether a row has not expired: DynamoDB deletes it within days, and returns it until then.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html
    """
    return all(row.get(name) is None or row[name] > now_s() for name in _TTL_NAMES)


_TTL_NAMES = tuple(sorted({*TTL_ATTRIBUTES.values()}))


class Table:
    """One table, with the dependency that its failures are counted against.

    Rows are read as plain values and written as attribute values. `operation` names what an adapter does, for
    the message of a Transient error.
    """

    def __init__(self, client: Any, name: str, dependency: Dependency = "records") -> None:
        self._client, self.name, self._dependency = client, name, dependency

    def get(self, key: Item, operation: str, *, consistent: bool = True) -> dict[str, Any] | None:
        """The row of this key; None if there is none."""
        with translate_errors(self._dependency, operation):
            answer = self._client.get_item(TableName=self.name, Key=key, ConsistentRead=consistent)
        row = from_item(answer["Item"]) if "Item" in answer else None
        return row if row is not None and is_live(row) else None

    def query(self, operation: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All rows of a query, page after page."""
        while True:
            with translate_errors(self._dependency, operation):
                answer = self._client.query(TableName=self.name, **query)
            yield from filter(is_live, map(from_item, answer["Items"]))
            if "LastEvaluatedKey" not in answer:
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def query_page(self, operation: str, cursor: Cursor, **query: Any) -> tuple[list[dict[str, Any]], Cursor]:
        """The rows of one page of a query, and the cursor of the next page."""
        rows, following = self._page(self._client.query, operation, cursor, query)
        return list(filter(is_live, rows)), following

    def scan_page(
        self, operation: str, cursor: Cursor, **request: Any
    ) -> tuple[list[dict[str, Any]], Cursor]:
        """The rows of one page of the whole table, expired ones too, and the cursor of the next page."""
        return self._page(self._client.scan, operation, cursor, request)

    def _page(
        self, call: Callable[..., Any], operation: str, cursor: Cursor, request: Mapping[str, Any]
    ) -> tuple[list[dict[str, Any]], Cursor]:
        start = {"ExclusiveStartKey": to_item(cursor)} if cursor else {}
        with translate_errors(self._dependency, operation):
            answer = call(TableName=self.name, **request, **start)
        return [*map(from_item, answer["Items"])], from_item(answer.get("LastEvaluatedKey", {}))

    def partition(
        self, pk: str, operation: str, *, sk_prefix: str = "", sk_from: str = "", **more: Any
    ) -> Iterator[dict[str, Any]]:
        """Rows of one partition, read consistently, in the order of their sort keys.

        sk_prefix  only rows whose sort key begins with this
        sk_from    only rows whose sort key is this or later
        """
        condition, values = "pk = :pk", {":pk": pk}
        if sk_prefix:
            condition, values = f"{condition} AND begins_with(sk, :sk)", values | {":sk": sk_prefix}
        if sk_from:
            condition, values = f"{condition} AND sk >= :sk", values | {":sk": sk_from}
        return self.query(
            operation,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=to_item(values),
            ConsistentRead=True,
            **more,
        )

    def batch_get(
        self, keys: Sequence[Item], operation: str, *, consistent: bool = True, **projection: Any
    ) -> Iterator[dict[str, Any]]:
        """The rows of these keys that exist, in any order; an eventual read costs half as much."""
        for start in range(0, len(keys), BATCH_GET_MAX_KEYS):
            batch = list(keys[start : start + BATCH_GET_MAX_KEYS])
            requests: Item = {self.name: {"Keys": batch, "ConsistentRead": consistent, **projection}}
            for answer in self._answers(self._client.batch_get_item, operation, requests, "UnprocessedKeys"):
                yield from filter(is_live, map(from_item, answer["Responses"].get(self.name, ())))

    def batch_put(self, rows: Sequence[Item], operation: str) -> None:
        for start in range(0, len(rows), BATCH_WRITE_MAX_ITEMS):
            batch = [{"PutRequest": {"Item": row}} for row in rows[start : start + BATCH_WRITE_MAX_ITEMS]]
            requests: Item = {self.name: batch}
            list(self._answers(self._client.batch_write_item, operation, requests, "UnprocessedItems"))

    def _answers(
        self, call: Callable[..., Any], operation: str, requests: Item, unprocessed: str
    ) -> Iterator[dict[str, Any]]:
        """The answers to one batch, which is sent again as long as a part of it was left unprocessed."""
        for attempt in range(1, MAX_BATCH_ATTEMPTS + 1):
            with translate_errors(self._dependency, operation):
                answer = call(RequestItems=requests)
            yield answer
            requests = answer.get(unprocessed) or {}
            if not requests:
                return
            pause(attempt)
        raise Transient("DynamoDB left rows unprocessed", dependency=self._dependency, operation=operation)

    def put(self, row: Item, operation: str) -> None:
        self._write("put_item", operation, Item=row)

    def put_new(self, row: Item, operation: str) -> bool:
        """Put a row; False if there is a row of this key."""
        condition = "attribute_not_exists(pk)"
        return self._write("put_item", operation, Item=row, ConditionExpression=condition) is not None

    def update(self, key: Item, operation: str, **request: Any) -> None:
        self._write("update_item", operation, Key=key, **request)

    def update_if(self, key: Item, operation: str, **request: Any) -> dict[str, Any] | None:
        """Update a row; the returned attributes, or None if the condition of the request does not hold."""
        answer = self._write("update_item", operation, Key=key, **request)
        return None if answer is None else from_item(answer.get("Attributes", {}))

    def delete(self, key: Item, operation: str) -> None:
        self._write("delete_item", operation, Key=key)

    def transact(self, writes: Iterable[Item], operation: str) -> list[str]:
        """Make all writes or none; if a condition fails, the reason code of each write, else an empty list.

        Raises Transient if the transaction is throttled, NoDependencyFailed if others hold its rows for long.
        """
        items = list(writes)
        with translate_errors(self._dependency, operation):
            try:
                repeat_conflicts(lambda: self._client.transact_write_items(TransactItems=items), operation)
            except ClientError as error:
                reasons = cancellation_reasons(error)
                if CONDITION_FAILED not in reasons:
                    raise
                return reasons
        return []

    def _write(self, call: str, operation: str, **request: Any) -> Any:
        """The answer of a write of one row; None if the condition of the request does not hold."""
        write = partial(getattr(self._client, call), TableName=self.name, **request)
        with translate_errors(self._dependency, operation):
            try:
                return repeat_conflicts(write, operation)
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                return None

    def put_write(self, row: Item, **condition: Any) -> Item:
        """A put for a transaction."""
        return {"Put": {"TableName": self.name, "Item": row, **condition}}

    def put_new_write(self, row: Item) -> Item:
        """A put for a transaction that fails if there is a row of this key."""
        return self.put_write(row, ConditionExpression="attribute_not_exists(pk)")

    def update_write(self, key: Item, **request: Any) -> Item:
        """An update for a transaction."""
        return {"Update": {"TableName": self.name, "Key": key, **request}}

    def delete_write(self, key: Item, **condition: Any) -> Item:
        """A delete for a transaction."""
        return {"Delete": {"TableName": self.name, "Key": key, **condition}}

    def unless_being_erased(self, labels: Iterable[str]) -> list[Item]:
        """Conditions for a transaction: of no person among the labels has the erasure begun."""
        condition = {"TableName": self.name, "ConditionExpression": "attribute_not_exists(pk)"}
        people = person_ids_in(labels)
        return [{"ConditionCheck": {**condition, "Key": erasure_key(person)}} for person in people]


def merge_lists(
    lists: Sequence[Iterator[dict[str, Any]]], attribute: str, *, newest_first: bool = False
) -> Iterator[dict[str, Any]]:
    """The rows of several sorted queries in the order of an attribute; their first pages are read at once."""
    with ThreadPoolExecutor(len(lists)) as pool:
        started = list(pool.map(_read_first, lists))
    return merge(*started, key=itemgetter(attribute), reverse=newest_first)


def _read_first(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return chain(list(islice(rows, 1)), rows)


def shard_page_size(page_size: int) -> int:
    """Rows of one query of each index key of a list, with a margin because they are not spread evenly."""
    return page_size * 3 // (2 * LIST_SHARDS) + 4


class Listing:
    """Reads the indexes of the records table, newest row first; they are eventually consistent.

    The rows of one kind are spread over LIST_SHARDS index keys, which are read at once and merged.
    """

    def __init__(self, client: Any, table: str) -> None:
        self._rows = Table(client, table)

    def newest(
        self, kind: str, *, since: datetime | None = None, before: str = END_OF_LIST, page_size: int = 1000
    ) -> Iterator[dict[str, Any]]:
        """Rows of a kind.

        before     only rows whose `list_at` is earlier
        page_size  about how many rows the caller needs
        """
        oldest = since.astimezone(UTC).isoformat() if since else " "
        if oldest > before:
            return iter(())
        lists = [
            self._rows.query(
                "list rows",
                IndexName="listing",
                KeyConditionExpression="list_key = :key AND list_at BETWEEN :oldest AND :before",
                ExpressionAttributeValues=to_item({":key": key, ":oldest": oldest, ":before": before}),
                ScanIndexForward=False,
                Limit=shard_page_size(page_size),
            )
            for key in list_keys(kind)
        ]
        rows = merge_lists(lists, "list_at", newest_first=True)
        return (row for row in rows if row["list_at"] != before)

    def completed_drops(self, *, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
        """The drops that were completed in this time, oldest first."""
        return self._oldest("completed", ("completed", "completed_key", "completed_at"), since, until)

    def oldest(self, kind: str, *, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
        """The rows of a kind of this time, oldest first."""
        return self._oldest(kind, ("listing", "list_key", "list_at"), since, until)

    def _oldest(
        self, kind: str, index: tuple[str, str, str], since: datetime, until: datetime
    ) -> Iterator[dict[str, Any]]:
        name, key, at = index
        times = {":since": since.isoformat(), ":until": until.isoformat() + END_OF_LIST}
        lists = [
            self._rows.query(
                "list rows",
                IndexName=name,
                KeyConditionExpression=f"{key} = :key AND {at} BETWEEN :since AND :until",
                ExpressionAttributeValues=to_item(times | {":key": one}),
                Limit=100,
            )
            for one in list_keys(kind)
        ]
        return merge_lists(lists, at)

    def for_subject(
        self, subject: str, *, before: str = END_OF_LIST, page_size: int = 1000
    ) -> Iterator[dict[str, Any]]:
        """Sightings of a known subject and alerts about it."""
        return self._rows.query(
            "list rows of subject",
            IndexName="subject",
            KeyConditionExpression="subject = :subject AND list_at < :before",
            ExpressionAttributeValues=to_item({":subject": subject, ":before": before}),
            ScanIndexForward=False,
            Limit=page_size,
        )
