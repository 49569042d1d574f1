"""SQS queue `bulk` → drops of backfills and batches are processed, without delaying cameras."""

from typing import Any

from chalice import Blueprint
from chalice.app import SQSEvent

from functions.runtime.container import container, warm_up
from functions.runtime.sqs_batch import process_batch

trigger = Blueprint(__name__)
warm_up(lambda container: container.lane_runtime)


@trigger.on_sqs_message(queue="bulk", name="bulk")
def on_bulk(event: SQSEvent) -> dict[str, Any]:
    """The partial batch response: the messages that failed."""
    return process_batch(event.to_dict(), event.context, container().lane_runtime)
