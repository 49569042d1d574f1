"""Which releases of each model are in use: rows of the records table, and a cached look at them.

releases            <model>       the pointers, guarded by a revision
releases#<model>    release#<id>  one release's life and measure
trial#<model>#<id>  <drop>        what a release showed on a drop
vitals#<model>#<id> <start>       what it showed in ten seconds, while it was active
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from cloud.dynamodb.attributes import Item, from_item, to_item
from cloud.dynamodb.queries import query_all
from cloud.dynamodb.routing import pointers_from_row, pointers_key
from cloud.errors import error_code, translate_errors
from vigil.errors import ConcurrentUpdate
from vigil.releases.lifecycle import (
    ReleasePointers,
    ReleaseState,
    StageTransition,
    registered_state,
)
from vigil.releases.rollout import ModelReleases, ReleaseRecord, RolloutChange
from vigil.statistics import Interval

# MERGED: Releases' lives and pointers in the records table; pointers and lives move in one transaction.


class DynamoReleases:
    """The rows are described in cloud/pointers.py; life rows are what the stream tells."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def models(self) -> tuple[str, ...]:
        """Every model of which a release was ever registered."""
        return tuple(row["sk"] for row in self._query_rows("releases", ""))

    def read_releases(self, model: str) -> ModelReleases:
        """All about a model, read consistently."""
        row = self._read_pointer_row(model)
        lives = self._query_rows(f"releases#{model}", "release#")
        return ModelReleases(
            model, pointers_from_row(row), row.get("revision", 0), tuple(map(_release_record_from_row, lives))
        )

    def trained_on(self, model: str, data: str) -> tuple[str, ...]:
        """The releases that learned from a data set."""
        rows = self._query_rows(f"releases#{model}", "release#")
        return tuple(row["release"] for row in rows if row.get("data") == data)

    def pointers(self, model: str) -> ReleasePointers:
        """A model's pointers, read consistently."""
        return pointers_from_row(self._read_pointer_row(model))

    def register(
        self, standing: ReleaseRecord, *, bundled: str | None, data: str, parent: str | None
    ) -> bool:
        """A new release, once; of a model without pointers, the bundled release becomes the active one."""
        model, training = standing.state.model, {"data": data, "parent": parent}
        first_pointers = pointers_key(model) | to_item({"active": bundled, "revision": 0})
        self._put_if(first_pointers, "attribute_not_exists(pk)")
        return self._put_if(_release_row(standing) | to_item(training), "attribute_not_exists(pk)")

    def save_change(self, releases: ModelReleases, change: RolloutChange) -> None:
        """Pointers and lives at once. Raises Overtaken."""
        writes = [{"Put": self._pointers_put(releases, change.pointers)}]
        writes += [{"Update": self._release_update(life)} for life in change.states]
        with translate_errors("records", "save release change"):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                if error_code(error) != "TransactionCanceledException":
                    raise
                raise ConcurrentUpdate(
                    f"the releases of {releases.model} were moved by somebody else"
                ) from error

    def _read_pointer_row(self, model: str) -> dict[str, Any]:
        with translate_errors("records", "read release pointers"):
            answer = self._client.get_item(
                TableName=self._table, Key=pointers_key(model), ConsistentRead=True
            )
        return from_item(answer.get("Item", {}))

    def _pointers_put(self, book: ModelReleases, pointers: ReleasePointers) -> Item:
        row = {"revision": book.revision + 1, **asdict(pointers)}
        return {
            "TableName": self._table,
            "Item": pointers_key(book.model) | to_item(row),
            "ConditionExpression": "attribute_not_exists(pk) OR revision = :revision",
            "ExpressionAttributeValues": to_item({":revision": book.revision}),
        }

    def _release_update(self, life: ReleaseState) -> Item:
        attributes = _stage_attributes(life)
        return {
            "TableName": self._table,
            "Key": _release_key(life.model, life.release),
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
            "ExpressionAttributeNames": {f"#{name}": name for name in attributes},
            "ExpressionAttributeValues": to_item({f":{name}": value for name, value in attributes.items()}),
        }

    def _put_if(self, row: Item, condition: str) -> bool:
        with translate_errors("records", "register release"):
            try:
                self._client.put_item(TableName=self._table, Item=row, ConditionExpression=condition)
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True

    def _query_rows(self, pk: str, sk_prefix: str) -> list[dict[str, Any]]:
        condition = "pk = :pk AND begins_with(sk, :sk)" if sk_prefix else "pk = :pk"
        values = {":pk": pk} | ({":sk": sk_prefix} if sk_prefix else {})
        rows = query_all(
            self._client,
            dependency="records",
            operation="read releases",
            TableName=self._table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=to_item(values),
            ConsistentRead=True,
        )
        return list(map(from_item, rows))


def _release_key(model: str, release: str) -> Item:
    return to_item({"pk": f"releases#{model}", "sk": f"release#{release}"})


def _stage_attributes(life: ReleaseState) -> dict[str, Any]:
    moves = [{**asdict(move), "at": move.at.isoformat()} for move in life.history]
    return {"stage": life.stage, "since": life.since.isoformat(), "history": moves}


def _release_row(standing: ReleaseRecord) -> Item:
    life = standing.state
    gain = asdict(standing.gain) if standing.gain else None
    row = {"model": life.model, "release": life.release, "metric": asdict(standing.metric), "gain": gain}
    return _release_key(life.model, life.release) | to_item(row | _stage_attributes(life))


def _release_record_from_row(row: Mapping[str, Any]) -> ReleaseRecord:
    history = tuple(
        StageTransition(one["step"], one["stage"], _parse_time(one["at"]), tuple(one["reasons"]))
        for one in row["history"]
    )
    life = registered_state(row["model"], row["release"], _parse_time(row["since"]))
    life = ReleaseState(life.model, life.release, row["stage"], life.since, history)
    gain = Interval(**row["gain"]) if row.get("gain") else None
    return ReleaseRecord(life, Interval(**row["metric"]), gain)


def _parse_time(text: str) -> datetime:
    return datetime.fromisoformat(text)


# MERGED: What releases showed on drops: noted by the lanes, counted by the function that moves releases.
