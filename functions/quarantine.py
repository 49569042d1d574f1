"""Direct invocation → the drops of one dead letter settled as quarantined, because an operator said so."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from chalice import Blueprint

from functions.mending import history_ledger
from functions.settings import settings
from vigil.drops import Envelope, read
from vigil.steady.ledger import Claim

trigger = Blueprint(__name__)

LEASE = timedelta(seconds=20)


@trigger.lambda_function(name="quarantine")
def on_quarantine(event: Mapping[str, Any], context: Any) -> dict[str, int]:
    """{"lane", "id", "body", "sent"} → {"quarantined"}; what has ended, or is being worked on, stays."""
    envelope = Envelope(str(event["id"]), str(event["body"]), datetime.fromisoformat(event["sent"]))
    ledger, now = history_ledger(str(event["lane"])), datetime.now(UTC)
    settled = 0
    for drop in read(envelope, settings().photos_bucket):
        claim = ledger.claim(drop, owner=context.aws_request_id, now=now, until=now + LEASE)
        if isinstance(claim, Claim):
            ledger.quarantine(claim, reason="operator", message="set aside by hand", stage="", now=now)
            settled += 1
    return {"quarantined": settled}
