"""moto writes two stream records for an UpdateItem that creates an item, and copies tables in transactions.

AWS writes one INSERT record with the whole item, and a transaction changes nothing but its items. moto would
have to write the record after the update, and check all conditions of a transaction before it writes. Its
copies take seconds for thousands of items, and after a failure they replace the tables that streams read.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.exceptions import TransactionCanceledException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import StreamShard, Table

_CONDITION_MET, _CONDITION_FAILED = (
    (None, None, None),
    ("ConditionalCheckFailed", "The conditional request failed", None),
)
"""moto's cancellation reasons: code, message, item."""


def patch_writes() -> None:
    """Replace UpdateItem and TransactWriteItems of moto's backend."""
    DynamoDBBackend.update_item = _single_insert(DynamoDBBackend.update_item)  # type: ignore[method-assign]
    DynamoDBBackend.transact_write_items = transact_without_copies(DynamoDBBackend.transact_write_items)  # type: ignore[method-assign]


def _single_insert(update: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(update)
    def updated(backend: DynamoDBBackend, table_name: str, *arguments: Any, **named: Any) -> Any:
        shard = backend.get_table(table_name).stream_shard
        before = len(shard.items) if shard else 0
        row = update(backend, table_name, *arguments, **named)
        if shard and len(shard.items) == before + 2:
            _remove_key_only_record(shard, before)
        return row

    return updated


def _remove_key_only_record(shard: StreamShard, position: int) -> None:
    """Remove the record with the keys only; the record of the whole item gets its sequence number."""
    key_only = shard.items.pop(position)
    shard.items[position].record["dynamodb"]["SequenceNumber"] = key_only.record["dynamodb"]["SequenceNumber"]


def transact_without_copies(original: Callable[..., None]) -> Callable[..., None]:
    @wraps(original)
    def transacted(backend: DynamoDBBackend, transact_items: Sequence[Mapping[str, Any]]) -> None:
        writes = [next(iter(item.items())) for item in transact_items]
        if not _is_simple(writes):
            _transact_without_copies(original, backend, transact_items)  # moto raises AWS's errors
            return
        reasons = [
            _CONDITION_MET if _condition_holds(backend, write) else _CONDITION_FAILED for _, write in writes
        ]
        if _CONDITION_FAILED in reasons:
            raise TransactionCanceledException(reasons)
        for kind, write in writes:
            _apply_write(backend, kind, write)

    return transacted


def _transact_without_copies(
    original: Callable[..., None], backend: DynamoDBBackend, items: Sequence[Mapping[str, Any]]
) -> None:
    """Run moto's transaction, then copy the contents of its tables back into the original tables."""
    tables = dict(backend.tables)
    try:
        original(backend, items)
    finally:
        for name, table in tables.items():
            _restore_contents(table, backend.tables[name])
            backend.tables[name] = table


def _restore_contents(table: Table, copied: Table) -> None:
    if copied is table:
        return
    shard, old = table.stream_shard, copied.stream_shard
    vars(table).update(vars(copied), stream_shard=shard)
    if shard is not None and old is not None:
        shard.items, shard.starting_sequence_number = old.items, old.starting_sequence_number


def _is_simple(writes: Sequence[tuple[str, Mapping[str, Any]]]) -> bool:
    """Whether no write can fail after the conditions hold: at most 100 items, each once, no deletes."""
    keys = {(write["TableName"], str(_primary_key(kind, write))) for kind, write in writes}
    return (
        len(writes) <= 100
        and len(keys) == len(writes)
        and all(kind in ("Put", "Update", "ConditionCheck") for kind, _ in writes)
        and not any("ReturnValuesOnConditionCheckFailure" in write for _, write in writes)
    )


def _primary_key(kind: str, write: Mapping[str, Any]) -> Mapping[str, Any]:
    row = write["Item"] if kind == "Put" else write["Key"]
    return {name: row[name] for name in ("pk", "sk") if name in row} or row


def _condition_holds(backend: DynamoDBBackend, write: Mapping[str, Any]) -> bool:
    condition = write.get("ConditionExpression")
    if condition is None:
        return True
    current = backend.get_item(
        write["TableName"], dict(_primary_key("Put" if "Item" in write else "Update", write))
    )
    names, values = write.get("ExpressionAttributeNames"), write.get("ExpressionAttributeValues")
    return bool(get_filter_expression(condition, names, values).expr(current))


def _apply_write(backend: DynamoDBBackend, kind: str, write: Mapping[str, Any]) -> None:
    names, values = write.get("ExpressionAttributeNames"), write.get("ExpressionAttributeValues")
    if kind == "Put":
        backend.put_item(write["TableName"], copy.deepcopy(write["Item"]))
    elif kind == "Update":
        backend.update_item(
            write["TableName"],
            write["Key"],
            update_expression=write["UpdateExpression"],
            expression_attribute_names=names or {},
            expression_attribute_values=values or {},
        )
