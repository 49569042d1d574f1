"""DynamoDB: every row, and every stream record that was not worked off yet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial, wraps
from typing import Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import StreamRecord, StreamShard, Table
from moto.dynamodb.responses import DynamoHandler

from infra.local import moto_streams
from infra.local.state.store import Store

Row = Mapping[str, Any]


def keep(store: Store) -> None:
    """From here on, in this process."""
    DynamoHandler.call_action = _written(DynamoHandler.call_action, store)  # type: ignore[method-assign]
    DynamoDBBackend.create_table = _filled(DynamoDBBackend.create_table, store)  # type: ignore[method-assign]
    moto_streams.on_worked_off(partial(_forget, store))


def touched(action: str, asked: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    """The table and the row, or at least the key, of all that a call may have changed."""
    if action in ("PutItem", "UpdateItem", "DeleteItem"):
        yield asked["TableName"], asked.get("Item") or asked["Key"]
    elif action == "TransactWriteItems":
        for item in asked["TransactItems"]:
            for write in item.values():
                yield write["TableName"], write.get("Item") or write["Key"]
    elif action == "BatchWriteItem":
        for table, writes in asked["RequestItems"].items():
            for write in writes:
                (request,) = write.values()
                yield table, request.get("Item") or request["Key"]


def _written(call: Callable[..., Any], store: Store) -> Callable[..., Any]:
    """A call that failed wrote nothing, and then the rows are written again as they were."""

    @wraps(call)
    def answered(handler: DynamoHandler) -> Any:
        answer = call(handler)
        changes = list(touched(handler._get_action(), handler.body))
        if changes:
            _write(handler.dynamodb_backend, changes, store)
        return answer

    return answered


def _write(backend: DynamoDBBackend, changes: list[tuple[str, Row]], store: Store) -> None:
    with store.together():
        for name, row in changes:
            table = backend.tables.get(name)
            if table is not None:
                _write_row(backend, table, row, store)
                _write_stream(table, store)


def _write_row(backend: DynamoDBBackend, table: Table, row: Row, store: Store) -> None:
    names = [name for name in (table.hash_key_attr, table.range_key_attr) if name]
    if not all(name in row for name in names):
        return
    key = {name: row[name] for name in names}
    ident = json.dumps(key, sort_keys=True, default=str)
    item = backend.get_item(table.name, key)
    if item is None:
        store.delete(f"rows/{table.name}", ident)
    else:
        store.put(f"rows/{table.name}", ident, item.to_json()["Attributes"])


def _write_stream(table: Table, store: Store) -> None:
    shard = table.stream_shard
    if shard is None:
        return
    first = shard.starting_sequence_number
    written = getattr(shard, "written", first)
    for place in range(written - first, len(shard.items)):
        store.put(f"stream/{table.name}", str(first + place), shard.items[place].record)
    after: Any = shard
    after.written = first + len(shard.items)
    store.put("streams", table.name, {"next": after.written, "label": table.latest_stream_label})


def _filled(create: Callable[..., Table], store: Store) -> Callable[..., Table]:
    @wraps(create)
    def made(backend: DynamoDBBackend, name: str, *arguments: Any, **named: Any) -> Table:
        table = create(backend, name, *arguments, **named)
        shard, table.stream_shard = table.stream_shard, None
        for _, row in store.all(f"rows/{name}"):
            table.put_item(row)
        table.stream_shard = shard
        if shard is not None:
            _put_back_stream(table, shard, store)
        return table

    return made


def _put_back_stream(table: Table, shard: StreamShard, store: Store) -> None:
    """The same stream as before, from the first record that nobody has worked off."""
    kept = store.get("streams", table.name)
    if kept is None:
        return
    table.latest_stream_label = kept["label"]
    records = store.all(f"stream/{table.name}")
    shard.starting_sequence_number = int(records[0][0]) if records else kept["next"]
    shard.items = [_record(record) for _, record in records]
    whole: Any = shard
    whole.written = kept["next"]


def _record(kept: dict[str, Any]) -> StreamRecord:
    record = object.__new__(StreamRecord)
    record.record = kept
    return record


def _forget(store: Store, table: str, numbers: range) -> None:
    with store.together():
        for number in numbers:
            store.delete(f"stream/{table}", str(number))
