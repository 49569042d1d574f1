"""Direct invocation → an operator quarantines the drops of one dead letter."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from chalice import Blueprint

from cloud.s3_events import QueueMessage, parse_message
from functions.runtime.container import container
from functions.runtime.handler import lambda_handler
from vigil.drops.ledger import Lease, LeaseHeld

trigger = Blueprint(__name__)

LEASE = timedelta(seconds=20)


@trigger.lambda_function(name="quarantine")
@lambda_handler
def on_quarantine(event: Mapping[str, Any], context: Any) -> dict[str, int]:
    """{"lane", "id", "body", "sent", "reason"} → {"quarantined", "in_progress"}.

    Drops in a final state stay as they are. While a drop is in progress, the dead letter must stay.
    """
    message = QueueMessage(str(event["id"]), str(event["body"]), datetime.fromisoformat(event["sent"]))
    ledger, now = container().ledger(str(event["lane"])), datetime.now(UTC)
    counts = {"quarantined": 0, "in_progress": 0}
    for drop in parse_message(message, container().settings.photos_bucket):
        match ledger.claim(drop, owner=context.aws_request_id, now=now, until=now + LEASE):
            case Lease() as claim:
                ledger.quarantine(claim, reason="by-hand", message=str(event["reason"]), stage="", now=now)
                counts["quarantined"] += 1
            case LeaseHeld():
                counts["in_progress"] += 1
    return counts
