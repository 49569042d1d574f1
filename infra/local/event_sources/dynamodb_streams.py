"""Lambda's poller of DynamoDB streams: records in order, retried until they succeed or are discarded."""

from __future__ import annotations

import base64
import json
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from infra.local.clients import AwsClients
from infra.local.errors import Throttled
from infra.local.event_sources.async_invoke import Destinations
from infra.local.event_sources.mapping import EventSourceMapping, failed_ids
from infra.local.lambda_.service import InvocationResult, LambdaService
from infra.local.process import ThreadSupervisor

_POLL_INTERVAL_S = (0.2, 1.0)
"""Seconds between reads of the stream: after a record, and at most."""

_RETRY_BACKOFF_S = (0.2, 5.0)
"""Seconds to wait after the first failure of a batch, and at most."""


@dataclass(frozen=True, slots=True)
class DiscardedBatch:
    """Why a batch was discarded, after how many invocations, of which function and shard."""

    condition: str
    invocations: int
    function: str
    shard: str


def to_lambda_record(stream_record: Mapping[str, Any], stream: str) -> dict[str, Any]:
    """Return a record in the format of a Lambda event."""
    return {
        "eventID": stream_record["eventID"],
        "eventName": stream_record["eventName"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": stream_record["awsRegion"],
        "dynamodb": _to_json_value(stream_record["dynamodb"]),
        "eventSourceARN": stream,
    }


def is_modification(change: Mapping[str, Any]) -> bool:
    """Whether a record contains a change; moto, unlike AWS, writes records for writes without one."""
    return "OldImage" not in change or change["OldImage"] != change.get("NewImage")


def failure_notification(
    batch: DiscardedBatch, answer: InvocationResult, records: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the document for the failure destination, which refers to the records."""
    first, last = (records[index]["dynamodb"] for index in (0, -1))
    return {
        "requestContext": {
            "requestId": answer.request_id,
            "functionArn": batch.function,
            "condition": batch.condition,
            "approximateInvokeCount": batch.invocations,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": answer.error},
        "version": "1.0",
        "timestamp": _iso_timestamp(datetime.now(UTC).timestamp()),
        "DDBStreamBatchInfo": {
            "shardId": batch.shard,
            "startSequenceNumber": first["SequenceNumber"],
            "endSequenceNumber": last["SequenceNumber"],
            "approximateArrivalOfFirstRecord": _iso_timestamp(first["ApproximateCreationDateTime"]),
            "approximateArrivalOfLastRecord": _iso_timestamp(last["ApproximateCreationDateTime"]),
            "batchSize": len(records),
            "streamArn": records[0]["eventSourceARN"],
        },
    }


def _to_json_value(value: Any) -> Any:
    """Convert boto3's values to JSON: bytes in base64, times in seconds."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, dict):
        return {key: _to_json_value(item) for key, item in value.items()}
    return [_to_json_value(item) for item in value] if isinstance(value, list) else value


def _iso_timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class _StreamBatch:
    records: Sequence[Mapping[str, Any]]
    attempts: int = 0


class StreamPoller:
    """Polls the stream of one mapping from its beginning, which for a new table is also LATEST."""

    def __init__(
        self,
        mapping: EventSourceMapping,
        *,
        functions: LambdaService,
        clients: AwsClients,
        destinations: Destinations,
        supervisor: ThreadSupervisor,
    ) -> None:
        self.mapping = mapping
        self._functions = functions
        self._streams = clients.get("dynamodbstreams")
        self._destinations = destinations
        self._supervisor = supervisor
        self._poll_interval_s = _POLL_INTERVAL_S[0]
        self.read_count = 0
        self.busy = False

    def run(self) -> None:
        """Read until the cloud stops."""
        stream = self._streams.describe_stream(StreamArn=self.mapping.source)["StreamDescription"]
        self._shard_id = stream["Shards"][0]["ShardId"]
        iterator = self._streams.get_shard_iterator(
            StreamArn=self.mapping.source, ShardId=self._shard_id, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while not self._supervisor.stopping.is_set():
            if self.mapping.enabled:
                iterator = self._read_records(iterator)
            else:
                self.busy = False
                self.mapping.confirm_disabled()
            if not self.busy:
                self.mapping.settings_changed.wait(self._poll_interval_s)
                self.mapping.settings_changed.clear()

    def _read_records(self, iterator: str) -> str:
        """Read the stream once and process all records."""
        limit = min(self.mapping.settings.batch_size, 1000)
        response = self._streams.get_records(ShardIterator=iterator, Limit=limit)
        records = [
            to_lambda_record(one, self.mapping.source)
            for one in response["Records"]
            if is_modification(one["dynamodb"])
        ]
        self.busy = bool(response["Records"])
        if self.busy:
            self._poll_interval_s = _POLL_INTERVAL_S[0]
        else:
            self._poll_interval_s = min(self._poll_interval_s * 1.2, _POLL_INTERVAL_S[1])
        matching = [one for one in records if self.mapping.settings.accepts(one)]
        if matching:
            self._process_records(matching)
        self.read_count += 1
        next_iterator: str = response["NextShardIterator"]
        return next_iterator

    def _process_records(self, records: Sequence[Mapping[str, Any]]) -> None:
        pending = deque([_StreamBatch(records)])
        while pending and not self._supervisor.stopping.is_set():
            pending.extendleft(reversed(self._try_batch(pending.popleft())))

    def _try_batch(self, batch: _StreamBatch) -> list[_StreamBatch]:
        """Invoke the function once; returns the batches that remain, in order."""
        answer = self._invoke(batch.records)
        if answer is None:
            self._supervisor.stopping.wait(_RETRY_BACKOFF_S[0])
            return [batch]
        remaining = self._remaining_records(batch, answer)
        if not remaining:
            return []
        attempts = 0 if len(remaining) < len(batch.records) else batch.attempts
        return self._retry_or_discard(_StreamBatch(remaining, attempts), answer)

    def _retry_or_discard(self, batch: _StreamBatch, answer: InvocationResult) -> list[_StreamBatch]:
        settings = self.mapping.settings
        if settings.bisect_on_error and len(batch.records) > 1:
            middle = len(batch.records) // 2
            return [_StreamBatch(batch.records[:middle]), _StreamBatch(batch.records[middle:])]
        retries_exhausted = settings.max_retries is not None and batch.attempts >= settings.max_retries
        if retries_exhausted or self._is_expired(batch):
            condition = "RetryAttemptsExhausted" if retries_exhausted else "RecordAgeExceeded"
            self._send_to_failure_destination(batch, answer, condition)
            return []
        self._supervisor.stopping.wait(min(_RETRY_BACKOFF_S[0] * 2**batch.attempts, _RETRY_BACKOFF_S[1]))
        return [_StreamBatch(batch.records, batch.attempts + 1)]

    def _invoke(self, records: Sequence[Mapping[str, Any]]) -> InvocationResult | None:
        """Invoke the function; None if it was throttled, which is not an attempt."""
        try:
            return self._functions.invoke(self.mapping.function, json.dumps({"Records": records}).encode())
        except Throttled:
            return None

    def _remaining_records(
        self, batch: _StreamBatch, answer: InvocationResult
    ) -> Sequence[Mapping[str, Any]]:
        """Return the records from the first failed one, which must succeed before the stream continues."""
        numbers = [one["dynamodb"]["SequenceNumber"] for one in batch.records]
        failed = failed_ids(answer, numbers, partial_responses=self.mapping.settings.report_item_failures)
        first = next((index for index, number in enumerate(numbers) if number in failed), len(numbers))
        return batch.records[first:]

    def _is_expired(self, batch: _StreamBatch) -> bool:
        age = self.mapping.settings.max_record_age_s
        oldest = batch.records[0]["dynamodb"]["ApproximateCreationDateTime"]
        return age is not None and time.time() - oldest > age

    def _send_to_failure_destination(
        self, batch: _StreamBatch, answer: InvocationResult, condition: str
    ) -> None:
        target = self.mapping.settings.on_failure
        if target is not None:
            discarded = DiscardedBatch(condition, batch.attempts + 1, self.mapping.function, self._shard_id)
            self._destinations.send_json(target, failure_notification(discarded, answer, batch.records))
