"""DynamoDB streams that forget what every reader has worked off; moto's keep everything, for ever.

A reader asks for what comes after a batch only when it is done with that batch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.dynamodb.models.table import StreamShard
from moto.dynamodbstreams.models import DynamoDBStreamsBackend, ShardIterator

from infra.local.moto_locks import tables

Forget = Callable[[str, range], None]

_positions: dict[str, dict[str, int]] = {}
"""By table and by the iterator that a reader began with: the first record it may still need."""

_listeners: list[Forget] = []


def forget_read() -> None:
    """From here on, in this process."""
    DynamoDBStreamsBackend.get_shard_iterator = _begun(DynamoDBStreamsBackend.get_shard_iterator)  # type: ignore[method-assign]
    ShardIterator.get = _read(ShardIterator.get)  # type: ignore[method-assign]


def on_worked_off(forget: Forget) -> None:
    """Tell a table's name and the numbers of records that nobody needs any more."""
    _listeners.append(forget)


def _begun(begin: Callable[..., ShardIterator]) -> Callable[..., ShardIterator]:
    @wraps(begin)
    def begun(backend: DynamoDBStreamsBackend, *arguments: Any, **named: Any) -> ShardIterator:
        with tables:
            iterator = begin(backend, *arguments, **named)
            _note(iterator, iterator.id, "")
        return iterator

    return begun


def _read(read: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    @wraps(read)
    def reading(iterator: ShardIterator, limit: int = 1000) -> dict[str, Any]:
        known: Any = iterator
        with tables:
            iterator.sequence_number = max(
                iterator.sequence_number, iterator.stream_shard.starting_sequence_number
            )
            answer = read(iterator, limit)
            iterators = iterator.streams_backend.shard_iterators
            _note(iterators[answer["NextShardIterator"]], known.reader, iterator.arn)
            iterators.pop(known.before, None)
            _positions[iterator.stream_shard.table.name][known.reader] = iterator.sequence_number
            _shorten(iterator.stream_shard)
        return answer

    return reading


def _note(iterator: ShardIterator, reader: str, before: str) -> None:
    noted: Any = iterator
    noted.reader, noted.before = reader, before
    _positions.setdefault(iterator.stream_shard.table.name, {}).setdefault(reader, iterator.sequence_number)


def _shorten(shard: StreamShard) -> None:
    first, needed = shard.starting_sequence_number, min(_positions[shard.table.name].values())
    if needed <= first:
        return
    shard.items = shard.items[needed - first :]
    shard.starting_sequence_number = needed
    for forget in _listeners:
        forget(shard.table.name, range(first, needed))
