"""SQS queue `live` → drops of cameras are processed."""

from typing import Any

from chalice import Blueprint
from chalice.app import SQSEvent

from functions.runtime.container import container, warm_up
from functions.runtime.sqs_batch import process_batch

trigger = Blueprint(__name__)
warm_up(lambda container: container.lane_runtime)


@trigger.on_sqs_message(queue="live", name="live")
def on_live(event: SQSEvent) -> dict[str, Any]:
    """The partial batch response: the messages that failed."""
    return process_batch(event.to_dict(), event.context, container().lane_runtime)
