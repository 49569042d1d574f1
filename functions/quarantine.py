"""Direct invocation → the drops of one dead letter settled as quarantined, because an operator said so."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from chalice import Blueprint

from functions.bounded import bounded
from functions.mending import history_ledger
from functions.settings import settings
from vigil.drops import Envelope, read
from vigil.steady.ledger import Claim, Held

trigger = Blueprint(__name__)

LEASE = timedelta(seconds=20)


@trigger.lambda_function(name="quarantine")
@bounded
def on_quarantine(event: Mapping[str, Any], context: Any) -> dict[str, int]:
    """{"lane", "id", "body", "sent", "why"} → {"quarantined", "held"}; what has ended stays as it ended.

    held  drops that a worker has taken up meanwhile: the letter must stay where it is
    """
    envelope = Envelope(str(event["id"]), str(event["body"]), datetime.fromisoformat(event["sent"]))
    ledger, now = history_ledger(str(event["lane"])), datetime.now(UTC)
    told = {"quarantined": 0, "held": 0}
    for drop in read(envelope, settings().photos_bucket):
        match ledger.claim(drop, owner=context.aws_request_id, now=now, until=now + LEASE):
            case Claim() as claim:
                ledger.quarantine(claim, reason="by-hand", message=str(event["why"]), stage="", now=now)
                told["quarantined"] += 1
            case Held():
                told["held"] += 1
    return told
