"""Releases' lives and pointers in the records table; pointers and lives move in one transaction."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from cloud.faults import code, faults
from cloud.items import Item, fields, item
from cloud.pages import every
from cloud.pointers import pointers_key, pointers_of
from vigil.errors import VigilError
from vigil.learn.interval import Interval
from vigil.learn.release import Life, Move, Pointers, register
from vigil.learn.stages import Book, Change, Standing


class Overtaken(VigilError):
    """Somebody else moved the pointers in between: read again and decide anew."""


class DynamoLives:
    """The rows are described in cloud/pointers.py; life rows are what the stream tells."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def models(self) -> tuple[str, ...]:
        """Every model of which a release was ever registered."""
        return tuple(row["sk"] for row in self._rows("releases", ""))

    def book(self, model: str) -> Book:
        """All about a model, read consistently."""
        row = self._pointed(model)
        lives = self._rows(f"releases#{model}", "life#")
        return Book(model, pointers_of(row), row.get("revision", 0), tuple(map(_standing, lives)))

    def taught_on(self, model: str, data: str) -> tuple[str, ...]:
        """The releases that learned from a data set."""
        rows = self._rows(f"releases#{model}", "life#")
        return tuple(row["release"] for row in rows if row.get("data") == data)

    def pointers(self, model: str) -> Pointers:
        """A model's pointers, read consistently."""
        return pointers_of(self._pointed(model))

    def register(self, standing: Standing, *, bundled: str | None, data: str, parent: str | None) -> bool:
        """A new release, once; of a model without pointers, the bundled release becomes the active one."""
        model, told = standing.life.model, {"data": data, "parent": parent}
        first = pointers_key(model) | item({"active": bundled, "revision": 0})
        self._put(first, "attribute_not_exists(pk)")
        return self._put(_row(standing) | item(told), "attribute_not_exists(pk)")

    def move(self, book: Book, change: Change) -> None:
        """Pointers and lives at once. Raises Overtaken."""
        writes = [{"Put": self._pointers(book, change.pointers)}]
        writes += [{"Update": self._moved(life)} for life in change.lives]
        with faults("move release"):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                if code(error) != "TransactionCanceledException":
                    raise
                raise Overtaken(f"the releases of {book.model} were moved by somebody else") from error

    def _pointed(self, model: str) -> dict[str, Any]:
        with faults("read release pointers"):
            answer = self._client.get_item(
                TableName=self._table, Key=pointers_key(model), ConsistentRead=True
            )
        return fields(answer.get("Item", {}))

    def _pointers(self, book: Book, pointers: Pointers) -> Item:
        row = {"revision": book.revision + 1, **asdict(pointers)}
        return {
            "TableName": self._table,
            "Item": pointers_key(book.model) | item(row),
            "ConditionExpression": "attribute_not_exists(pk) OR revision = :revision",
            "ExpressionAttributeValues": item({":revision": book.revision}),
        }

    def _moved(self, life: Life) -> Item:
        told = _told(life)
        return {
            "TableName": self._table,
            "Key": _key(life.model, life.id),
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in told),
            "ExpressionAttributeNames": {f"#{name}": name for name in told},
            "ExpressionAttributeValues": item({f":{name}": thing for name, thing in told.items()}),
        }

    def _put(self, row: Item, condition: str) -> bool:
        with faults("register release"):
            try:
                self._client.put_item(TableName=self._table, Item=row, ConditionExpression=condition)
            except ClientError as error:
                if code(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True

    def _rows(self, pk: str, begin: str) -> list[dict[str, Any]]:
        condition = "pk = :pk AND begins_with(sk, :sk)" if begin else "pk = :pk"
        values = {":pk": pk} | ({":sk": begin} if begin else {})
        rows = every(
            self._client,
            TableName=self._table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=item(values),
            ConsistentRead=True,
        )
        return list(map(fields, rows))


def _key(model: str, release: str) -> Item:
    return item({"pk": f"releases#{model}", "sk": f"life#{release}"})


def _told(life: Life) -> dict[str, Any]:
    moves = [{**asdict(move), "at": move.at.isoformat()} for move in life.history]
    return {"stage": life.stage, "since": life.since.isoformat(), "history": moves}


def _row(standing: Standing) -> Item:
    life = standing.life
    gain = asdict(standing.gain) if standing.gain else None
    row = {"model": life.model, "release": life.id, "metric": asdict(standing.metric), "gain": gain}
    return _key(life.model, life.id) | item(row | _told(life))


def _standing(row: Mapping[str, Any]) -> Standing:
    history = tuple(
        Move(one["step"], one["stage"], _time(one["at"]), tuple(one["reasons"])) for one in row["history"]
    )
    life = register(row["model"], row["release"], _time(row["since"]))
    life = Life(life.model, life.id, row["stage"], life.since, history)
    gain = Interval(**row["gain"]) if row.get("gain") else None
    return Standing(life, Interval(**row["metric"]), gain)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
