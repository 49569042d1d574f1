"""SQS `bulk` → one outcome a drop, in a lane of its own, so that a back-fill never delays a door."""

from typing import Any

from chalice import Blueprint
from chalice.app import SQSEvent

from functions.runtime.container import container, warm_up
from functions.runtime.sqs_batch import process_batch

trigger = Blueprint(__name__)
warm_up(lambda container: container.lane_runtime)


@trigger.on_sqs_message(queue="bulk", name="bulk")
def on_bulk(event: SQSEvent) -> dict[str, Any]:
    """Process one batch of messages; only failed ones come back."""
    return process_batch(event.to_dict(), event.context, container().lane_runtime)
