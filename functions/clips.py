"""SQS queue `clips` → selected frames of clips are stored, each of which becomes a drop of a lane."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from chalice import Blueprint
from chalice.app import SQSEvent

from cloud.dynamodb.clips import DynamoClips
from cloud.s3.objects import S3Frames
from cloud.s3_events import clip_announcement, parse_message
from functions.runtime.container import Container, container
from functions.runtime.handler import lambda_handler
from functions.runtime.sqs_batch import LEASE_MARGIN, queue_message, visibility_delay_s
from vigil.drops.messages import Drop, InvalidMessage
from vigil.drops.process import Invocation
from vigil.errors import Transient
from vigil.video.clip import ClipPorts, ClipResult, process_clip

trigger = Blueprint(__name__)

MARGIN = timedelta(seconds=4)
"""In the last seconds of an invocation no other frame begins."""


@trigger.on_sqs_message(queue="clips", name="clips")
@lambda_handler
def on_clips(event: SQSEvent) -> dict[str, Any]:
    """The partial batch response: the messages that failed. A bug ends the invocation."""
    failed = [one for one in event.to_dict()["Records"] if not _process_message(one, event.context)]
    container().metrics.flush()
    return {"batchItemFailures": [{"itemIdentifier": one["messageId"]} for one in failed]}


def _process_message(record: dict[str, Any], context: Any) -> bool:
    """Whether nothing is left to do; the message of a worker that is killed returns when its time is over."""
    c, remaining = container(), timedelta(milliseconds=context.get_remaining_time_in_millis())
    queue, ends_at = c.lane_queue("clips"), datetime.now(UTC) + remaining
    invocation = Invocation(context.aws_request_id, ends_at - LEASE_MARGIN, remaining)
    ports = _clip_ports(c, lambda: datetime.now(UTC) < ends_at - MARGIN)
    try:
        queue.set_visibility_timeout(record["receiptHandle"], int(remaining.total_seconds()) + 1)
        for drop in parse_message(queue_message(record), c.settings.photos_bucket):
            _process(drop, ports, invocation)
    except Transient as error:
        wait_s = visibility_delay_s(error, int(record["attributes"]["ApproximateReceiveCount"]))
        c.logger.warning("retry", extra={"detail": str(error), "retry_in_s": wait_s})
        queue.set_visibility_timeout(record["receiptHandle"], wait_s)
        return False
    return True


def _clip_ports(c: Container, has_time: Callable[[], bool]) -> ClipPorts:
    env = c.settings
    return ClipPorts(
        ledger=c.ledger("live"),
        clips=c.input_reader,
        frames=S3Frames(c.s3, env.photos_bucket),
        progress=DynamoClips(c.dynamodb, env.records_table, retention=env.retention),
        clock=c.clock,
        has_time=has_time,
        model=env.frame_model,
        folder=Path(gettempdir()),
    )


def _process(drop: Drop | InvalidMessage, ports: ClipPorts, invocation: Invocation) -> None:
    """An unfinished clip is announced again: a message that is returned comes nearer to its dead letters."""
    c, began = container(), datetime.now(UTC)
    result = process_clip(drop, ports, invocation)
    if result.outcome == "unfinished" and isinstance(drop, Drop):
        c.lane_queue("clips").send_messages([clip_announcement(drop)])
    _record(drop, result, datetime.now(UTC) - began)


def _record(drop: Drop | InvalidMessage, result: ClipResult, working: timedelta) -> None:
    c = container()
    c.metrics.count(f"Clips{result.outcome.capitalize()}")
    c.metrics.count("Frames", result.stored)
    c.metrics.ms("ClipMs", working / timedelta(milliseconds=1))
    fields = {"drop": drop.id, "stored": result.stored, "reason": result.reason}
    c.logger.info(result.outcome, extra={name: value for name, value in fields.items() if value})
