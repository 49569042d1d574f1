"""A batch of SQS messages through the story of one drop; failures stay on the queue, later and later."""

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from cloud.deadline import Deadline
from cloud.queue import Queue
from functions.counting import Counting
from functions.damage import end, report
from functions.noticing import Noticing
from functions.pulse import Pulse
from vigil.drops import Drop, Envelope, Misfit, read
from vigil.errors import DamagedRelease, Transient
from vigil.flow.process import Busy, Shift, Verdict, World, process
from vigil.steady.retry import delay_s

MARGIN = timedelta(milliseconds=500)
"""A lease ends this long before the runtime may kill its worker: never after."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane, wired."""

    world: World
    queue: Queue
    bucket: str
    lease: timedelta
    logger: Logger
    counting: Counting
    pulse: Pulse
    noticing: Noticing
    deadline: Deadline


def work(event: dict[str, Any], context: Any, lane: Lane) -> dict[str, Any]:
    """SQS batch → partial batch response."""
    began = time.monotonic()
    lane.deadline.begin(context.get_remaining_time_in_millis() / 1000)
    batch = _Batch(lane)
    answer = process_partial_response(
        event=event, record_handler=_Handler(lane, _shift(context, lane)), processor=batch, context=context
    )
    lane.logger.thread_safe_remove_keys(["drop"])
    _count(lane, time.monotonic() - began)
    if batch.damage is not None:
        end(batch.damage)
    return dict(answer)


def _count(lane: Lane, working_s: float) -> None:
    """Counting fails no message, and one count that fails no other."""
    now = datetime.now(UTC)
    for flush in (partial(lane.counting.flush, working_s=working_s), lane.pulse.flush, lane.noticing.flush):
        try:
            flush(now)
        except Transient as failure:
            lane.logger.warning("not-counted", extra={"detail": str(failure)})


class _Batch(BatchProcessor):
    """Powertools' processor, which also sets when a failed message is seen again."""

    def __init__(self, lane: Lane) -> None:
        super().__init__(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
        self._lane = lane
        self.damage: DamagedRelease | None = None

    def failure_handler(self, record: Any, exception: Any) -> Any:
        kind, error, _ = exception
        raw = record.raw_event
        attempt = int(raw["attributes"]["ApproximateReceiveCount"])
        wait_s = _wait_s(error, attempt)
        self._lane.counting.failed(kind, str(error))
        self._hide(raw["receiptHandle"], wait_s)
        fields = {"message_id": raw["messageId"], "error": kind.__name__, "again_in_s": wait_s}
        if issubclass(kind, Transient):
            self._lane.logger.warning("retry", extra=fields | {"detail": str(error)})
        elif isinstance(error, DamagedRelease):
            report(error, self._lane.logger)
            self.damage = error
        else:
            self._lane.logger.error("bug", extra=fields, exc_info=exception)
        return super().failure_handler(record, exception)

    def _hide(self, receipt: str, wait_s: int) -> None:
        """Where SQS does not answer, the message comes back after the queue's own time."""
        with suppress(Transient):
            self._lane.queue.hide(receipt, wait_s)


@dataclass(frozen=True, slots=True)
class _Handler:
    lane: Lane
    shift: Shift

    def __call__(self, record: Any) -> list[str]:
        self.lane.logger.thread_safe_remove_keys(["drop"])
        sent_ms = int(record.attributes.sent_timestamp)
        envelope = Envelope(record.message_id, record.body, datetime.fromtimestamp(sent_ms / 1000, UTC))
        self.lane.counting.received(envelope.sent, datetime.now(UTC))
        return [self._finish(drop) for drop in read(envelope, self.lane.bucket)]

    def _finish(self, drop: Drop | Misfit) -> str:
        """One drop; until the next begins, each line of this thread names it (releases come in another)."""
        self.lane.logger.thread_safe_append_keys(drop=drop.id)
        return self._log(process(drop, self.lane.world, self.shift), drop.at)

    def _log(self, verdict: Verdict, happened: datetime) -> str:
        self.lane.counting.answered(verdict, happened, datetime.now(UTC))
        fields = {
            "attempt": verdict.attempt,
            "release": verdict.release,
            "reason": verdict.reason,
            "sightings": verdict.sightings,
            "alerts": verdict.alerts,
            "times_ms": verdict.times_ms,
        }
        self.lane.logger.info(verdict.outcome, extra={name: thing for name, thing in fields.items() if thing})
        return verdict.outcome


def _shift(context: Any, lane: Lane) -> Shift:
    remaining = timedelta(milliseconds=context.get_remaining_time_in_millis())
    return Shift(context.aws_request_id, datetime.now(UTC) + remaining - MARGIN, lane.lease)


def _wait_s(error: BaseException, attempt: int) -> int:
    if isinstance(error, Busy):
        return max(1, int((error.until - datetime.now(UTC)).total_seconds()) + 1)
    return delay_s(attempt)
