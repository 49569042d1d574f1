"""SQS `live` → one outcome a drop."""

from typing import Any

from chalice import Blueprint
from chalice.app import SQSEvent

from functions.lane import work
from functions.wiring import ahead, lane

trigger = Blueprint(__name__)
ahead(lane)


@trigger.on_sqs_message(queue="live", name="live")
def on_live(event: SQSEvent) -> dict[str, Any]:
    """Process one batch of messages; only failed ones come back."""
    return work(event.to_dict(), event.context, lane())
