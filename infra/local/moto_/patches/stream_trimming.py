"""moto keeps all records of a stream; AWS deletes them after 24 hours; moto would have to delete old ones.

Here a record is deleted when every reader has asked for a later one: a reader does so only after it has
processed the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.dynamodb.models.table import StreamShard
from moto.dynamodbstreams.models import DynamoDBStreamsBackend, ShardIterator

from infra.local.moto_.patches.locking import dynamodb_lock

OnTrimmed = Callable[[str, range], None]

_reader_positions: dict[str, dict[str, int]] = {}
"""The first record that a reader may still need, by table and by the reader's first iterator."""

_listeners: list[OnTrimmed] = []


def patch_stream_trimming() -> None:
    """Delete stream records that all readers have processed."""
    DynamoDBStreamsBackend.get_shard_iterator = _track_iterator(DynamoDBStreamsBackend.get_shard_iterator)  # type: ignore[method-assign]
    ShardIterator.get = _trim_after_read(ShardIterator.get)  # type: ignore[method-assign]


def on_records_trimmed(listener: OnTrimmed) -> None:
    """Register a listener for the table and the sequence numbers of deleted records."""
    _listeners.append(listener)


def _track_iterator(begin: Callable[..., ShardIterator]) -> Callable[..., ShardIterator]:
    @wraps(begin)
    def begun(backend: DynamoDBStreamsBackend, *arguments: Any, **named: Any) -> ShardIterator:
        with dynamodb_lock:
            iterator = begin(backend, *arguments, **named)
            _register_iterator(iterator, iterator.id, "")
        return iterator

    return begun


def _trim_after_read(read: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    @wraps(read)
    def reading(iterator: ShardIterator, limit: int = 1000) -> dict[str, Any]:
        known: Any = iterator
        with dynamodb_lock:
            iterator.sequence_number = max(
                iterator.sequence_number, iterator.stream_shard.starting_sequence_number
            )
            answer = read(iterator, limit)
            iterators = iterator.streams_backend.shard_iterators
            _register_iterator(iterators[answer["NextShardIterator"]], known.reader, iterator.arn)
            iterators.pop(known.before, None)
            _reader_positions[iterator.stream_shard.table.name][known.reader] = iterator.sequence_number
            _trim(iterator.stream_shard)
        return answer

    return reading


def _register_iterator(iterator: ShardIterator, reader: str, before: str) -> None:
    tracked: Any = iterator
    tracked.reader, tracked.before = reader, before
    _reader_positions.setdefault(iterator.stream_shard.table.name, {}).setdefault(
        reader, iterator.sequence_number
    )


def _trim(shard: StreamShard) -> None:
    first, needed = shard.starting_sequence_number, min(_reader_positions[shard.table.name].values())
    if needed <= first:
        return
    shard.items = shard.items[needed - first :]
    shard.starting_sequence_number = needed
    for listener in _listeners:
        listener(shard.table.name, range(first, needed))
