"""How long a failed message waits before it is tried again."""

import random
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from cloud.client import Deadline
from cloud.sqs import SqsQueue
from functions.runtime.handler import exit_container, log_damaged_release
from functions.runtime.telemetry import DriftTelemetry, LaneTelemetry, ReleaseTelemetry
from vigil.drops.messages import (
    Drop,
    InvalidMessage,
    QueueMessage,
    parse_message,
)
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
    """Seconds before attempt + 1: doubling from 2 s to 15 min, with jitter over the upper half.

    attempt  how often the message was received so far, from 1
    """
    max_delay_s = min(FIRST_RETRY_S << min(attempt - 1, 20), MAX_RETRY_S)
    jitter = rng.uniform(0.5, 1.0)
    return max(1, round(max_delay_s * jitter))


# MERGED: A batch of SQS messages through the story of one drop; failures stay on the queue, later and later.

LEASE_MARGIN = timedelta(milliseconds=500)
"""A lease ends this long before the runtime may kill its worker: never after."""


@dataclass(frozen=True, slots=True)
class LaneRuntime:
    """One lane, wired."""

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
    """SQS batch → partial batch response."""
    started_s = time.monotonic()
    lane.deadline.begin(context.get_remaining_time_in_millis() / 1000)
    batch = _LaneBatchProcessor(lane)
    response = process_partial_response(
        event=event,
        record_handler=_RecordHandler(lane, _invocation(context, lane)),
        processor=batch,
        context=context,
    )
    lane.logger.thread_safe_remove_keys(["drop"])
    _flush_telemetry(lane, time.monotonic() - started_s)
    if batch.damage is not None:
        exit_container(batch.damage)
    return dict(response)


def _flush_telemetry(lane: LaneRuntime, working_s: float) -> None:
    """Counting fails no message, and one count that fails no other."""
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


class _LaneBatchProcessor(BatchProcessor):
    """Powertools' processor, which also sets when a failed message is seen again."""

    def __init__(self, lane: LaneRuntime) -> None:
        super().__init__(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
        self._lane = lane
        self.damage: DamagedRelease | None = None

    def failure_handler(self, record: Any, exception: Any) -> Any:
        kind, error, _ = exception
        raw = record.raw_event
        attempt = int(raw["attributes"]["ApproximateReceiveCount"])
        wait_s = _visibility_delay_s(error, attempt)
        self._lane.telemetry.record_failure(error)
        self._delay_message(raw["receiptHandle"], wait_s)
        fields = {"message_id": raw["messageId"], "error": kind.__name__, "retry_in_s": wait_s}
        if issubclass(kind, Transient):
            self._lane.logger.warning("retry", extra=fields | {"detail": str(error)})
        elif isinstance(error, DamagedRelease):
            log_damaged_release(error, self._lane.logger)
            self.damage = error
        else:
            self._lane.logger.error("unexpected-error", extra=fields, exc_info=exception)
        return super().failure_handler(record, exception)

    def _delay_message(self, receipt: str, wait_s: int) -> None:
        """Where SQS does not answer, the message comes back after the queue's own time."""
        with suppress(Transient):
            self._lane.queue.set_visibility_timeout(receipt, wait_s)


@dataclass(frozen=True, slots=True)
class _RecordHandler:
    lane: LaneRuntime
    invocation: Invocation

    def __call__(self, record: Any) -> list[str]:
        self.lane.logger.thread_safe_remove_keys(["drop"])
        sent_ms = int(record.attributes.sent_timestamp)
        envelope = QueueMessage(record.message_id, record.body, datetime.fromtimestamp(sent_ms / 1000, UTC))
        self.lane.telemetry.record_received(envelope.sent_at, datetime.now(UTC))
        return [self._process(drop) for drop in parse_message(envelope, self.lane.bucket)]

    def _process(self, drop: Drop | InvalidMessage) -> str:
        """One drop; until the next begins, each line of this thread names it (releases come in another)."""
        self.lane.logger.thread_safe_append_keys(drop=drop.id)
        return self._log_result(process_drop(drop, self.lane.ports, self.invocation), drop.occurred_at)

    def _log_result(self, result: DropResult, occurred_at: datetime) -> str:
        self.lane.telemetry.record_result(result, occurred_at, datetime.now(UTC))
        fields = {
            "attempt": result.attempt,
            "release": result.release,
            "reason": result.reason,
            "sightings": result.sightings,
            "alerts": result.alerts,
            "times_ms": result.times_ms,
        }
        self.lane.logger.info(result.outcome, extra={name: value for name, value in fields.items() if value})
        return result.outcome


def _invocation(context: Any, lane: LaneRuntime) -> Invocation:
    remaining = timedelta(milliseconds=context.get_remaining_time_in_millis())
    return Invocation(context.aws_request_id, datetime.now(UTC) + remaining - LEASE_MARGIN, lane.lease)


def _visibility_delay_s(error: BaseException, attempt: int) -> int:
    if isinstance(error, DropInProgress):
        return max(1, int((error.until - datetime.now(UTC)).total_seconds()) + 1)
    return retry_delay_s(attempt)
