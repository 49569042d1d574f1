"""Schedule → what has no end announced again; direct invocation → an old bucket shown to a model."""

from collections.abc import Mapping
from typing import Any

from chalice import Blueprint, Rate

from cloud.dynamodb.maintenance_state import load_reconcile_progress, save_reconcile_progress
from functions.runtime.handler import lambda_handler
from functions.runtime.wiring_reliability import (
    bucket_listing,
    deployed_models,
    emf_metrics,
    inventory_listing,
    logger,
    reconcile_ports,
    state_store,
)
from vigil.reliability.reconcile import backfill, reconcile_bucket

trigger = Blueprint(__name__)

MAX_OBJECTS_PER_RUN = 2000
"""Objects announced again a run."""


@trigger.schedule(Rate(5, unit=Rate.MINUTES), name="reconcile")
@lambda_handler
def on_reconcile(event: Any) -> dict[str, Any]:
    """Go on with the walk; the figures are those of the last whole one."""
    progress = reconcile_bucket(
        load_reconcile_progress(state_store()),
        reconcile_ports(event.context, inventory_listing()),
        max_messages=MAX_OBJECTS_PER_RUN,
    )
    save_reconcile_progress(state_store(), progress)
    if progress.last_complete is not None:
        emf_metrics().count("Objects", progress.last_complete.objects)
        emf_metrics().count(
            "UnprocessedObjects", progress.last_complete.objects - progress.last_complete.completed
        )
    emf_metrics().count("Reannounced", progress.reannounced)
    emf_metrics().flush()
    result = {"announced": progress.reannounced, "cursor": progress.cursor}
    logger().info("reconcile", extra=result)
    return result


@trigger.lambda_function(name="backfill")
@lambda_handler
def on_backfill(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """{"model"?, "cursor"?} → {"announced", "cursor"}; ask again with the cursor until it is empty."""
    model = event.get("model")
    if model is not None and model not in deployed_models():
        known = ", ".join(deployed_models())
        return {"error": {"reason": "unknown-model", "message": f"no model {model!r}; there are: {known}"}}
    progress = backfill(
        str(event.get("cursor", "")),
        model,
        reconcile_ports(context, bucket_listing()),
        max_messages=MAX_OBJECTS_PER_RUN,
    )
    return {"announced": progress.reannounced, "cursor": progress.cursor}
