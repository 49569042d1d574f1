"""Schedule → what has no end announced again; direct invocation → an old bucket shown to a model."""

from collections.abc import Mapping
from typing import Any

from chalice import Blueprint, Rate

from cloud.dynamodb.maintenance_state import load_reconcile_progress, save_reconcile_progress
from functions.runtime.container import container
from functions.runtime.handler import lambda_handler
from vigil.reliability.reconcile import backfill, reconcile_bucket

trigger = Blueprint(__name__)

MAX_OBJECTS_PER_RUN = 2000
"""Objects announced again a run."""


@trigger.schedule(Rate(5, unit=Rate.MINUTES), name="reconcile")
@lambda_handler
def on_reconcile(event: Any) -> dict[str, Any]:
    """Go on with the walk; the figures are those of the last whole one."""
    c = container()
    progress = reconcile_bucket(
        load_reconcile_progress(c.state_store),
        c.reconcile_ports(event.context, c.inventory_listing),
        max_messages=MAX_OBJECTS_PER_RUN,
    )
    save_reconcile_progress(c.state_store, progress)
    if progress.last_complete is not None:
        c.metrics.count("Objects", progress.last_complete.objects)
        c.metrics.count(
            "UnprocessedObjects", progress.last_complete.objects - progress.last_complete.completed
        )
    c.metrics.count("Reannounced", progress.reannounced)
    c.metrics.flush()
    result = {"announced": progress.reannounced, "cursor": progress.cursor}
    c.logger.info("reconcile", extra=result)
    return result


@trigger.lambda_function(name="backfill")
@lambda_handler
def on_backfill(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """{"model"?, "cursor"?} → {"announced", "cursor"}; ask again with the cursor until it is empty."""
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
