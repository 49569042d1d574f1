"""Processes a batch of SQS messages; failed messages return to the queue after a growing delay.

While messages wait, those of the live lane are sent again once, each in the group of its source: SQS then
delivers the messages of other sources first (fair queues). S3 cannot send notifications in groups.
"""

import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any, TypeGuard

from aws_lambda_powertools import Logger

from cloud.client import Deadline
from cloud.s3_events import QueueMessage, clip_announcement, parse_message
from cloud.sqs import FIRST_SENT_ATTRIBUTE, REDRIVE_COUNT_ATTRIBUTE, SqsQueue
from functions.runtime.handler import exit_container, log_damaged_release
from functions.runtime.telemetry import DriftTelemetry, LaneTelemetry, ReleaseTelemetry
from vigil.drops.messages import CLIP_MODEL, Drop, InvalidMessage, S3Object
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
_JITTER_RNG = random.SystemRandom()  # containers from one SnapStart snapshot share the state of any other


def retry_delay_s(attempt: int, *, rng: random.Random = _JITTER_RNG) -> int:
    """Seconds until the next attempt: from 2 s doubling to 15 min, with jitter over the upper half.

    attempt  the number of times that the message was received, from 1
    """
    max_delay_s = min(FIRST_RETRY_S << min(attempt - 1, 20), MAX_RETRY_S)
    jitter = rng.uniform(0.5, 1.0)
    return max(1, round(max_delay_s * jitter))


MAX_WAIT_S = 1.0
"""Time in the queue after which a message is sent again in the group of its source, and time in a batch after
which one of a group is sent again, so that a photo of another source does not wait for the whole batch."""

LEASE_MARGIN = timedelta(milliseconds=500)
"""A lease ends at least this long before the runtime may end its invocation."""


@dataclass(frozen=True, slots=True)
class LaneRuntime:
    """One lane with its ports and telemetry.

    clips    the queue that clips are passed on to
    is_fair  whether the lane divides its workers fairly between sources while messages wait
    """

    ports: ProcessingPorts
    queue: SqsQueue
    clips: SqsQueue
    bucket: str
    lease: timedelta
    logger: Logger
    telemetry: LaneTelemetry
    release_telemetry: ReleaseTelemetry
    drift_telemetry: DriftTelemetry
    deadline: Deadline
    is_fair: bool = False


def process_batch(event: dict[str, Any], context: Any, lane: LaneRuntime) -> dict[str, Any]:
    """The partial batch response: the messages that failed."""
    started_s = time.monotonic()
    lane.deadline.begin(context.get_remaining_time_in_millis() / 1000)
    messages = sorted(event["Records"], key=_place_in_batch)
    batch = _Batch(lane)
    process_message = _RecordHandler(
        lane, _invocation(context, lane), datetime.now(UTC), is_alone=len(messages) == 1
    )
    for message in messages:
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
        wait_s = visibility_delay_s(error, int(message["attributes"]["ApproximateReceiveCount"]))
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
    """`is_alone`: the message is the only one of its batch, so that no other waits for it."""

    lane: LaneRuntime
    invocation: Invocation
    began_at: datetime
    is_alone: bool

    def __call__(self, raw: dict[str, Any]) -> None:
        self.lane.logger.thread_safe_remove_keys(["drop"])
        message = queue_message(raw)
        self.lane.telemetry.record_received(message.sent_at, datetime.now(UTC))
        drops = parse_message(message, self.lane.bucket)
        if self._is_sent_in_group(raw, drops):
            return
        is_first_attempt = _is_first_delivery(raw)
        for drop in drops:
            if _is_clip(drop):
                self.lane.clips.send_messages([clip_announcement(drop)])
            else:
                self._process(drop, is_first_attempt=is_first_attempt)

    def _is_sent_in_group(self, raw: dict[str, Any], drops: Sequence[Drop | InvalidMessage]) -> bool:
        """Whether the message is sent again in the group of its source, to be processed then.

        Only a message whose drops have the same ids then: those of versions of objects, not of the message.
        """
        waiting_since = self.began_at if _is_in_group(raw) else _sent_at(raw)
        waited_s = (datetime.now(UTC) - waiting_since).total_seconds()
        if not self.lane.is_fair or self.is_alone or waited_s < MAX_WAIT_S or not _is_first_delivery(raw):
            return False
        sources = {drop.source for drop in drops if isinstance(drop, Drop) and _has_version(drop)}
        if len(drops) != 1 or len(sources) != 1:
            return False
        with suppress(Transient):
            self.lane.queue.send_in_group(raw["body"], sources.pop(), _first_sent_ms(raw))
            self.lane.telemetry.record_sent_in_group()
            return True
        return False

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


def queue_message(record: dict[str, Any]) -> QueueMessage:
    """A message as Lambda hands it over."""
    return QueueMessage(record["messageId"], record["body"], _sent_at(record))


def _is_clip(drop: Drop | InvalidMessage) -> TypeGuard[Drop]:
    """Whether another function processes the drop: S3 can announce overlapping prefixes to one queue only.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
    """
    return isinstance(drop, Drop) and drop.model == CLIP_MODEL and isinstance(drop.payload, S3Object)


def _has_version(drop: Drop) -> bool:
    return isinstance(drop.payload, S3Object) and bool(drop.payload.version)


def _place_in_batch(message: dict[str, Any]) -> tuple[bool, bool]:
    """Messages that failed before are processed last: one that ends its worker delays no other. Before them,
    those that were sent in a group: they waited for the workers' time that their source takes."""
    return int(message["attributes"]["ApproximateReceiveCount"]) > 1, _is_in_group(message)


def _is_in_group(message: dict[str, Any]) -> bool:
    return FIRST_SENT_ATTRIBUTE in message.get("messageAttributes", {})


def _sent_at(message: dict[str, Any]) -> datetime:
    """When the message was first sent (aware, UTC)."""
    return datetime.fromtimestamp(int(_first_sent_ms(message)) / 1000, UTC)


def _first_sent_ms(message: dict[str, Any]) -> str:
    if _is_in_group(message):
        return str(message["messageAttributes"][FIRST_SENT_ATTRIBUTE]["stringValue"])
    return str(message["attributes"]["SentTimestamp"])


def _is_first_delivery(message: dict[str, Any]) -> bool:
    """Whether the message was neither received nor redriven before."""
    received = int(message["attributes"]["ApproximateReceiveCount"])
    return received == 1 and REDRIVE_COUNT_ATTRIBUTE not in message.get("messageAttributes", {})


def _invocation(context: Any, lane: LaneRuntime) -> Invocation:
    remaining = timedelta(milliseconds=context.get_remaining_time_in_millis())
    return Invocation(context.aws_request_id, datetime.now(UTC) + remaining - LEASE_MARGIN, lane.lease)


def visibility_delay_s(error: BaseException, attempt: int) -> int:
    """Seconds until a message that failed is delivered again; `attempt` counts its receives."""
    if isinstance(error, DropInProgress):
        return max(1, int((error.until - datetime.now(UTC)).total_seconds()) + 1)
    return retry_delay_s(attempt)
