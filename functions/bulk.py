"""SQS `bulk` → one outcome a drop, in a lane of its own, so that a back-fill never delays a door."""

from typing import Any

from chalice import Blueprint
from chalice.app import SQSEvent

from functions.lane import work
from functions.wiring import ahead, lane

trigger = Blueprint(__name__)
ahead(lane)


@trigger.on_sqs_message(queue="bulk", name="bulk")
def on_bulk(event: SQSEvent) -> dict[str, Any]:
    """Process one batch of messages; only failed ones come back."""
    return work(event.to_dict(), event.context, lane())
