"""Direct invocation → objects that are already stored are announced to a model, through the bulk lane."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from chalice import Blueprint

from functions.runtime.container import container
from functions.runtime.handler import lambda_handler
from vigil.reliability.reconcile import backfill

trigger = Blueprint(__name__)

MAX_OBJECTS_PER_RUN = 2000
MAX_RUN_S = 15
"""A run ends, with its last page, before the API that waits for its cursor does (29 seconds)."""


@trigger.lambda_function(name="backfill")
@lambda_handler
def on_backfill(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """{"model"?, "cursor"?} → {"announced", "cursor"}; repeat with the cursor until it is empty."""
    c, model = container(), event.get("model")
    if model is not None and model not in c.model_cards:
        known = ", ".join(c.model_cards)
        return {"error": {"reason": "unknown-model", "message": f"no model {model!r}; there are: {known}"}}
    ends_at = c.clock() + timedelta(seconds=MAX_RUN_S)
    ports = c.reconcile_ports(context, c.bucket_listing)
    progress = backfill(
        str(event.get("cursor", "")),
        model,
        replace(ports, has_time=lambda: ports.has_time() and c.clock() < ends_at),
        max_messages=MAX_OBJECTS_PER_RUN,
    )
    return {"announced": progress.reannounced, "cursor": progress.cursor}
