"""Port Releases in the records table: each release's stages and measures, and the pointers of each model."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import msgspec

from cloud.dynamodb.attributes import Item, to_item
from cloud.dynamodb.pointers import pointers_from_row, read_pointers_row
from cloud.dynamodb.queries import query_partition, transact, write_if
from cloud.dynamodb.schema import POINTERS, RELEASE
from vigil.errors import ConcurrentUpdate
from vigil.releases.lifecycle import ReleasePointers, ReleaseState
from vigil.releases.rollout import ModelReleases, ReleaseRecord, RolloutChange

_STAGE_ATTRIBUTES = ("stage", "since", "history")


class DynamoReleases:
    """Pointers and stages change in one transaction; the stream publishes the release rows."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def models(self) -> tuple[str, ...]:
        """Every model of which a release was ever registered."""
        return tuple(row["sk"] for row in self._rows(POINTERS.partition()))

    def read_releases(self, model: str) -> ModelReleases:
        """A model's pointers and releases, read consistently."""
        row = read_pointers_row(self._client, self._table, model)
        records = map(_record_from_row, self._rows(RELEASE.partition(model=model)))
        return ModelReleases(model, pointers_from_row(row), row.get("revision", 0), tuple(records))

    def trained_on(self, model: str, data: str) -> tuple[str, ...]:
        """The releases that were trained on a data set."""
        rows = self._rows(RELEASE.partition(model=model))
        return tuple(row["release"] for row in rows if row.get("data") == data)

    def pointers(self, model: str) -> ReleasePointers:
        """A model's pointers, read consistently."""
        return pointers_from_row(read_pointers_row(self._client, self._table, model))

    def register(self, record: ReleaseRecord, *, bundled: str | None, data: str, parent: str | None) -> bool:
        """Store a new release; False if it is registered already.

        bundled  becomes the active release of a model without pointers
        """
        state = record.state
        row = asdict(state) | {
            "metric": asdict(record.metric),
            "gain": asdict(record.gain) if record.gain else None,
            "data": data,
            "parent": parent,
        }
        self._put_new(POINTERS.key(model=state.model) | to_item({"active": bundled, "revision": 0}))
        return self._put_new(RELEASE.key(model=state.model, release=state.release) | to_item(row))

    def save_change(self, releases: ModelReleases, change: RolloutChange) -> None:
        """Write the pointers and stages together. Raises ConcurrentUpdate."""
        writes = [{"Put": self._pointers_put(releases, change.pointers)}]
        writes += [{"Update": self._stage_update(state)} for state in change.states]
        if transact(self._client, writes, dependency="records", operation="save release change"):
            raise ConcurrentUpdate(f"the releases of {releases.model} have changed since they were read")

    def _rows(self, pk: str) -> Iterator[dict[str, Any]]:
        return query_partition(self._client, self._table, pk, dependency="records", operation="read releases")

    def _put_new(self, row: Item) -> bool:
        answer = write_if(
            self._client.put_item,
            dependency="records",
            operation="register release",
            TableName=self._table,
            Item=row,
            ConditionExpression="attribute_not_exists(pk)",
        )
        return answer is not None

    def _pointers_put(self, releases: ModelReleases, pointers: ReleasePointers) -> Item:
        row = {"revision": releases.revision + 1, **asdict(pointers)}
        return {
            "TableName": self._table,
            "Item": POINTERS.key(model=releases.model) | to_item(row),
            "ConditionExpression": "attribute_not_exists(pk) OR revision = :revision",
            "ExpressionAttributeValues": to_item({":revision": releases.revision}),
        }

    def _stage_update(self, state: ReleaseState) -> Item:
        row = asdict(state)
        return {
            "TableName": self._table,
            "Key": RELEASE.key(model=state.model, release=state.release),
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in _STAGE_ATTRIBUTES),
            "ExpressionAttributeNames": {f"#{name}": name for name in _STAGE_ATTRIBUTES},
            "ExpressionAttributeValues": to_item({f":{name}": row[name] for name in _STAGE_ATTRIBUTES}),
        }


def _record_from_row(row: Mapping[str, Any]) -> ReleaseRecord:
    return msgspec.convert({**row, "state": row}, ReleaseRecord)
