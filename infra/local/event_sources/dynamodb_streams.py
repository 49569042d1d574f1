"""What a stream says, in the words of a Lambda event, and the note about records that were given up."""

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
from infra.local.threads import ThreadSupervisor


@dataclass(frozen=True, slots=True)
class DiscardedBatch:
    """Why a batch was given up, after how many invocations, by whom, and from which shard it was."""

    condition: str
    invocations: int
    function: str
    shard: str


def to_lambda_record(stream_record: Mapping[str, Any], stream: str) -> dict[str, Any]:
    """A record as the function gets it."""
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
    """Whether the write changed anything: one that does not makes no record on AWS, but one in moto."""
    return "OldImage" not in change or change["OldImage"] != change.get("NewImage")


def failure_notification(
    batch: DiscardedBatch, answer: InvocationResult, records: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What Lambda sends to the destination: where the records are, not the records."""
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
    """boto3's values as they are in the event: bytes in base64, times in seconds."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, dict):
        return {key: _to_json_value(item) for key, item in value.items()}
    return [_to_json_value(item) for item in value] if isinstance(value, list) else value


def _iso_timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# MERGED: Lambda's poller of a DynamoDB stream: in order, again and again, until a record succeeds or is
#   given up.

_POLL_INTERVAL_S = (0.2, 1.0)
"""How often the stream is read: soon after a record, and when it has been quiet."""

_RETRY_BACKOFF_S = (0.2, 5.0)
"""Wait after the first failure of a batch, and at most."""


@dataclass(frozen=True, slots=True)
class _StreamBatch:
    records: Sequence[Mapping[str, Any]]
    attempts: int = 0


class StreamPoller:
    """Serves one mapping from its starting point: the stream is as old as the cloud, so LATEST sees all."""

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
        """One read of the stream, worked off to its end."""
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
        """Invoke once; returns what is left to do, in order."""
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
        """None when there was no concurrency left: that is no attempt."""
        try:
            return self._functions.invoke(self.mapping.function, json.dumps({"Records": records}).encode())
        except Throttled:
            return None

    def _remaining_records(
        self, batch: _StreamBatch, answer: InvocationResult
    ) -> Sequence[Mapping[str, Any]]:
        """The records from the first that failed: a stream goes on only after it."""
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
