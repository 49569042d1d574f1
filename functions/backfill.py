"""Direct invocation → objects that are already stored are announced to a model, through the bulk lane."""

from collections.abc import Mapping
from typing import Any

from chalice import Blueprint

from functions.runtime.container import container
from functions.runtime.handler import lambda_handler
from vigil.reliability.reconcile import backfill

trigger = Blueprint(__name__)

MAX_OBJECTS_PER_RUN = 2000


@trigger.lambda_function(name="backfill")
@lambda_handler
def on_backfill(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """{"model"?, "cursor"?} → {"announced", "cursor"}; repeat with the cursor until it is empty."""
    c, model = container(), event.get("model")
    if model is not None and model not in c.model_cards:
        known = ", ".join(c.model_cards)
        return {"error": {"reason": "unknown-model", "message": f"no model {model!r}; there are: {known}"}}
    progress = backfill(
        str(event.get("cursor", "")),
        model,
        c.reconcile_ports(context, c.bucket_listing),
        max_messages=MAX_OBJECTS_PER_RUN,
    )
    return {"announced": progress.reannounced, "cursor": progress.cursor}
