"""Persistence of DynamoDB: all items, and the stream records that were not processed yet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial, wraps
from typing import Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import StreamRecord, StreamShard, Table
from moto.dynamodb.responses import DynamoHandler

from infra.local.moto_.patches.stream_trimming import on_records_trimmed
from infra.local.persistence.store import StateStore

Row = Mapping[str, Any]


def persist_rows(store: StateStore) -> None:
    """Persist changes of items and streams in moto's process."""
    DynamoHandler.call_action = _persist_changes(DynamoHandler.call_action, store)  # type: ignore[method-assign]
    DynamoDBBackend.create_table = _restore_on_create(DynamoDBBackend.create_table, store)  # type: ignore[method-assign]
    on_records_trimmed(partial(_delete_records, store))


def changed_rows(action: str, payload: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    """Yield the table and the item or key of everything that a call may have changed."""
    if action in ("PutItem", "UpdateItem", "DeleteItem"):
        yield payload["TableName"], payload.get("Item") or payload["Key"]
    elif action == "TransactWriteItems":
        for item in payload["TransactItems"]:
            for write in item.values():
                yield write["TableName"], write.get("Item") or write["Key"]
    elif action == "BatchWriteItem":
        for table, writes in payload["RequestItems"].items():
            for write in writes:
                (request,) = write.values()
                yield table, request.get("Item") or request["Key"]


def _persist_changes(call: Callable[..., Any], store: StateStore) -> Callable[..., Any]:
    """Save the items of a call, also after a failure, which changed none of them."""

    @wraps(call)
    def answered(handler: DynamoHandler) -> Any:
        answer = call(handler)
        changes = list(changed_rows(handler._get_action(), handler.body))
        if changes:
            _save_changes(handler.dynamodb_backend, changes, store)
        return answer

    return answered


def _save_changes(backend: DynamoDBBackend, changes: list[tuple[str, Row]], store: StateStore) -> None:
    with store.transaction():
        for name, row in changes:
            table = backend.tables.get(name)
            if table is not None:
                _save_row(backend, table, row, store)
                _save_stream(table, store)


def _save_row(backend: DynamoDBBackend, table: Table, row: Row, store: StateStore) -> None:
    names = [name for name in (table.hash_key_attr, table.range_key_attr) if name]
    if not all(name in row for name in names):
        return
    key = {name: row[name] for name in names}
    ident = json.dumps(key, sort_keys=True, default=str)
    item = backend.get_item(table.name, key)
    if item is None:
        store.delete(f"rows/{table.name}", ident)
    else:
        store.save(f"rows/{table.name}", ident, item.to_json()["Attributes"])


def _save_stream(table: Table, store: StateStore) -> None:
    shard = table.stream_shard
    if shard is None:
        return
    first = shard.starting_sequence_number
    written = getattr(shard, "saved_up_to", first)
    for position in range(written - first, len(shard.items)):
        store.save(f"stream/{table.name}", str(first + position), shard.items[position].record)
    after: Any = shard
    after.saved_up_to = first + len(shard.items)
    store.save("streams", table.name, {"next": after.saved_up_to, "label": table.latest_stream_label})


def _restore_on_create(create: Callable[..., Table], store: StateStore) -> Callable[..., Table]:
    @wraps(create)
    def restored(backend: DynamoDBBackend, name: str, *arguments: Any, **named: Any) -> Table:
        table = create(backend, name, *arguments, **named)
        shard, table.stream_shard = table.stream_shard, None
        for _, row in store.load_all(f"rows/{name}"):
            table.put_item(row)
        table.stream_shard = shard
        if shard is not None:
            _restore_stream(table, shard, store)
        return table

    return restored


def _restore_stream(table: Table, shard: StreamShard, store: StateStore) -> None:
    """Restore a stream from its first unprocessed record."""
    saved = store.load("streams", table.name)
    if saved is None:
        return
    table.latest_stream_label = saved["label"]
    records = store.load_all(f"stream/{table.name}")
    shard.starting_sequence_number = int(records[0][0]) if records else saved["next"]
    shard.items = [_to_stream_record(record) for _, record in records]
    full_shard: Any = shard
    full_shard.saved_up_to = saved["next"]


def _to_stream_record(saved: dict[str, Any]) -> StreamRecord:
    record = object.__new__(StreamRecord)
    record.record = saved
    return record


def _delete_records(store: StateStore, table: str, numbers: range) -> None:
    with store.transaction():
        for number in numbers:
            store.delete(f"stream/{table}", str(number))
