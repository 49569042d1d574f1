"""Processes a batch of SQS messages; failed messages return to the queue after a growing delay."""

import random
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any

from aws_lambda_powertools import Logger

from cloud.client import Deadline
from cloud.s3_events import QueueMessage, parse_message
from cloud.sqs import REDRIVE_COUNT_ATTRIBUTE, SqsQueue
from functions.runtime.handler import exit_container, log_damaged_release
from functions.runtime.telemetry import DriftTelemetry, LaneTelemetry, ReleaseTelemetry
from vigil.drops.messages import Drop, InvalidMessage
from vigil.drops.prediction import PredictionFailed
from vigil.drops.process import (
    DropInProgress,
    DropResult,
    Invocation,
    ProcessingPorts,
    process_drop,
)
from vigil.errors import DamagedRelease, Transient

FIRST_RETRY_S = 2
MAX_RETRY_S = 900
_JITTER_RNG = random.Random()  # noqa: S311 - jitter, not a secret


def retry_delay_s(attempt: int, *, rng: random.Random = _JITTER_RNG) -> int:
    """Seconds until the next attempt: from 2 s doubling to 15 min, with jitter over the upper half.

    attempt  the number of times that the message was received, from 1
    """
    max_delay_s = min(FIRST_RETRY_S << min(attempt - 1, 20), MAX_RETRY_S)
    jitter = rng.uniform(0.5, 1.0)
    return max(1, round(max_delay_s * jitter))


LEASE_MARGIN = timedelta(milliseconds=500)
"""A lease ends at least this long before the runtime may end its invocation."""


@dataclass(frozen=True, slots=True)
class LaneRuntime:
    """One lane with its ports and telemetry."""

    ports: ProcessingPorts
    queue: SqsQueue
    bucket: str
    lease: timedelta
    logger: Logger
    telemetry: LaneTelemetry
    release_telemetry: ReleaseTelemetry
    drift_telemetry: DriftTelemetry
    deadline: Deadline


def process_batch(event: dict[str, Any], context: Any, lane: LaneRuntime) -> dict[str, Any]:
    """The partial batch response: the messages that failed."""
    started_s = time.monotonic()
    lane.deadline.begin(context.get_remaining_time_in_millis() / 1000)
    batch, process_message = _Batch(lane), _RecordHandler(lane, _invocation(context, lane))
    for message in event["Records"]:
        with _MessageFailure(batch, message):
            process_message(message)
    lane.logger.thread_safe_remove_keys(["drop"])
    _flush_telemetry(lane, time.monotonic() - started_s)
    if batch.damage is not None:
        exit_container(batch.damage)
    return {"batchItemFailures": [{"itemIdentifier": message} for message in batch.failed]}


def _flush_telemetry(lane: LaneRuntime, working_s: float) -> None:
    """Telemetry that cannot be saved fails no message and no other telemetry."""
    now = datetime.now(UTC)
    for flush in (
        partial(lane.telemetry.flush, working_s=working_s),
        lane.release_telemetry.flush,
        lane.drift_telemetry.flush,
    ):
        try:
            flush(now)
        except Transient as failure:
            lane.logger.warning("telemetry-not-saved", extra={"detail": str(failure)})


@dataclass(slots=True)
class _Batch:
    """The failed messages of a batch, and the damaged copy of a release that one of them met."""

    lane: LaneRuntime
    failed: list[str] = field(default_factory=list)
    damage: DamagedRelease | None = None


@dataclass(frozen=True, slots=True)
class _MessageFailure:
    """Whatever a message raises fails that message alone; sets when it becomes visible again.

    Powertools' batch processor does the same and loads asyncio and all event classes: 60 ms of a cold start.
    """

    batch: _Batch
    message: dict[str, Any]

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        lane, message = self.batch.lane, self.message
        wait_s = _visibility_delay_s(error, int(message["attributes"]["ApproximateReceiveCount"]))
        lane.telemetry.record_failure(error)
        self._delay_message(wait_s)
        fields = {"message_id": message["messageId"], "error": type(error).__name__, "retry_in_s": wait_s}
        if isinstance(error, Transient):
            lane.logger.warning("retry", extra=fields | {"detail": str(error)})
        elif isinstance(error, DamagedRelease):
            log_damaged_release(error, lane.logger)
            self.batch.damage = error
        else:
            lane.logger.error("unexpected-error", extra=fields, exc_info=error)
        self.batch.failed.append(message["messageId"])
        return True

    def _delay_message(self, wait_s: int) -> None:
        """If SQS does not answer, the queue's visibility timeout applies."""
        with suppress(Transient):
            self.batch.lane.queue.set_visibility_timeout(self.message["receiptHandle"], wait_s)


@dataclass(frozen=True, slots=True)
class _RecordHandler:
    lane: LaneRuntime
    invocation: Invocation

    def __call__(self, raw: dict[str, Any]) -> None:
        self.lane.logger.thread_safe_remove_keys(["drop"])
        sent_at = datetime.fromtimestamp(int(raw["attributes"]["SentTimestamp"]) / 1000, UTC)
        message = QueueMessage(raw["messageId"], raw["body"], sent_at)
        self.lane.telemetry.record_received(message.sent_at, datetime.now(UTC))
        is_first_attempt = _is_first_delivery(raw)
        for drop in parse_message(message, self.lane.bucket):
            self._process(drop, is_first_attempt=is_first_attempt)

    def _process(self, drop: Drop | InvalidMessage, *, is_first_attempt: bool) -> None:
        """Until the next drop begins, each log line of this thread names this one."""
        self.lane.logger.thread_safe_append_keys(drop=drop.id)
        source = drop.source if isinstance(drop, Drop) else ""
        self.lane.telemetry.begin_drop(source, is_first_attempt=is_first_attempt)
        try:
            result = process_drop(drop, self.lane.ports, self.invocation)
        except PredictionFailed as failure:
            if isinstance(drop, Drop):
                self.lane.release_telemetry.record_outputs(drop, failure.outputs, datetime.now(UTC))
            raise
        self._record(drop, result)

    def _record(self, drop: Drop | InvalidMessage, result: DropResult) -> None:
        now = datetime.now(UTC)
        self.lane.telemetry.record_result(result, drop.occurred_at, now)
        if isinstance(drop, Drop) and result.prediction is not None and result.outputs is not None:
            self.lane.release_telemetry.record_outputs(drop, result.outputs, now)
            self.lane.drift_telemetry.record_prediction(drop, result.release, result.prediction)
        fields = {
            "attempt": result.attempt,
            "release": result.release,
            "reason": result.reason,
            "sightings": result.sightings,
            "alerts": result.alerts,
            "times_ms": result.times_ms,
        }
        self.lane.logger.info(result.outcome, extra={name: value for name, value in fields.items() if value})


def _is_first_delivery(message: dict[str, Any]) -> bool:
    """Whether the message was neither received nor redriven before."""
    received = int(message["attributes"]["ApproximateReceiveCount"])
    return received == 1 and REDRIVE_COUNT_ATTRIBUTE not in message.get("messageAttributes", {})


def _invocation(context: Any, lane: LaneRuntime) -> Invocation:
    remaining = timedelta(milliseconds=context.get_remaining_time_in_millis())
    return Invocation(context.aws_request_id, datetime.now(UTC) + remaining - LEASE_MARGIN, lane.lease)


def _visibility_delay_s(error: BaseException, attempt: int) -> int:
    if isinstance(error, DropInProgress):
        return max(1, int((error.until - datetime.now(UTC)).total_seconds()) + 1)
    return retry_delay_s(attempt)
