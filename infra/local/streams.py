"""Lambda's poller of a DynamoDB stream: in order, again and again, until a record succeeds or is given up."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.local.answers import Answer
from infra.local.batches import failures
from infra.local.clients import Clients
from infra.local.destinations import Destinations
from infra.local.errors import Throttled
from infra.local.functions import Functions
from infra.local.health import Health
from infra.local.mappings import EventSource
from infra.local.stream_records import GivenUp, changes, note, record

_POLL_S = (0.2, 1.0)
"""How often the stream is read: soon after a record, and when it has been quiet."""

_AGAIN_S = (0.2, 5.0)
"""Wait after the first failure of a batch, and at most."""


@dataclass(frozen=True, slots=True)
class _Batch:
    records: Sequence[Mapping[str, Any]]
    attempts: int = 0


class StreamPoller:
    """Serves one mapping from its starting point: the stream is as old as the cloud, so LATEST sees all."""

    def __init__(
        self,
        mapping: EventSource,
        *,
        functions: Functions,
        clients: Clients,
        destinations: Destinations,
        health: Health,
    ) -> None:
        self.mapping = mapping
        self._functions = functions
        self._streams = clients.get("dynamodbstreams")
        self._destinations = destinations
        self._health = health
        self._quiet_s = _POLL_S[0]
        self.reads = 0
        self.busy = False

    def run(self) -> None:
        """Read until the cloud stops."""
        stream = self._streams.describe_stream(StreamArn=self.mapping.source)["StreamDescription"]
        self._shard = stream["Shards"][0]["ShardId"]
        iterator = self._streams.get_shard_iterator(
            StreamArn=self.mapping.source, ShardId=self._shard, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while not self._health.stopping.is_set():
            if self.mapping.enabled:
                iterator = self._read(iterator)
            else:
                self.busy = False
                self.mapping.settle()
            if not self.busy:
                self.mapping.changed.wait(self._quiet_s)
                self.mapping.changed.clear()

    def _read(self, iterator: str) -> str:
        """One read of the stream, worked off to its end."""
        limit = min(self.mapping.settings.batch_size, 1000)
        got = self._streams.get_records(ShardIterator=iterator, Limit=limit)
        records = [record(one, self.mapping.source) for one in got["Records"] if changes(one["dynamodb"])]
        self.busy = bool(got["Records"])
        if self.busy:
            self._quiet_s = _POLL_S[0]
        else:
            self._quiet_s = min(self._quiet_s * 1.2, _POLL_S[1])
        wanted = [one for one in records if self.mapping.settings.wants(one)]
        if wanted:
            self._work(wanted)
        self.reads += 1
        following: str = got["NextShardIterator"]
        return following

    def _work(self, records: Sequence[Mapping[str, Any]]) -> None:
        pending = deque([_Batch(records)])
        while pending and not self._health.stopping.is_set():
            pending.extendleft(reversed(self._attempt(pending.popleft())))

    def _attempt(self, batch: _Batch) -> list[_Batch]:
        """Invoke once; returns what is left to do, in order."""
        answer = self._invoke(batch.records)
        if answer is None:
            self._health.stopping.wait(_AGAIN_S[0])
            return [batch]
        rest = self._left(batch, answer)
        if not rest:
            return []
        attempts = 0 if len(rest) < len(batch.records) else batch.attempts
        return self._again(_Batch(rest, attempts), answer)

    def _again(self, batch: _Batch, answer: Answer) -> list[_Batch]:
        settings = self.mapping.settings
        if settings.bisect and len(batch.records) > 1:
            middle = len(batch.records) // 2
            return [_Batch(batch.records[:middle]), _Batch(batch.records[middle:])]
        worn_out = settings.retries is not None and batch.attempts >= settings.retries
        if worn_out or self._too_old(batch):
            condition = "RetryAttemptsExhausted" if worn_out else "RecordAgeExceeded"
            self._give_up(batch, answer, condition)
            return []
        self._health.stopping.wait(min(_AGAIN_S[0] * 2**batch.attempts, _AGAIN_S[1]))
        return [_Batch(batch.records, batch.attempts + 1)]

    def _invoke(self, records: Sequence[Mapping[str, Any]]) -> Answer | None:
        """None when there was no concurrency left: that is no attempt."""
        try:
            return self._functions.invoke(self.mapping.function, json.dumps({"Records": records}).encode())
        except Throttled:
            return None

    def _left(self, batch: _Batch, answer: Answer) -> Sequence[Mapping[str, Any]]:
        """The records from the first that failed: a stream goes on only after it."""
        numbers = [one["dynamodb"]["SequenceNumber"] for one in batch.records]
        failed = failures(answer, numbers, partial=self.mapping.settings.partial)
        first = next((place for place, number in enumerate(numbers) if number in failed), len(numbers))
        return batch.records[first:]

    def _too_old(self, batch: _Batch) -> bool:
        age = self.mapping.settings.record_age_s
        oldest = batch.records[0]["dynamodb"]["ApproximateCreationDateTime"]
        return age is not None and time.time() - oldest > age

    def _give_up(self, batch: _Batch, answer: Answer, condition: str) -> None:
        target = self.mapping.settings.on_failure
        if target is not None:
            given_up = GivenUp(condition, batch.attempts + 1, self.mapping.function, self._shard)
            self._destinations.send(target, note(given_up, answer, batch.records))
