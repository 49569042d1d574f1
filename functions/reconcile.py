"""Schedule → what has no end announced again; direct invocation → an old bucket shown to a model."""

from collections.abc import Mapping
from typing import Any

from chalice import Blueprint, Rate

from cloud.states import load_walk, save_walk
from functions.bounded import bounded
from functions.mending import aisles, gauges, inventory, logger, models_told, shelves, states
from vigil.flow.reconcile import back_fill, walk

trigger = Blueprint(__name__)

MOST = 2000
"""Objects announced again a run."""


@trigger.schedule(Rate(5, unit=Rate.MINUTES), name="reconcile")
@bounded
def on_reconcile(event: Any) -> dict[str, Any]:
    """Go on with the walk; the figures are those of the last whole one."""
    here = walk(load_walk(states()), aisles(event.context, inventory()), most=MOST)
    save_walk(states(), here)
    if here.whole is not None:
        gauges().count("Objects", here.whole.objects)
        gauges().count("WithoutEnd", here.whole.objects - here.whole.settled)
    gauges().count("Announced", here.announced)
    gauges().flush()
    told = {"announced": here.announced, "cursor": here.cursor}
    logger().info("reconcile", extra=told)
    return told


@trigger.lambda_function(name="backfill")
@bounded
def on_back_fill(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """{"model"?, "cursor"?} → {"announced", "cursor"}; ask again with the cursor until it is empty."""
    model = event.get("model")
    if model is not None and model not in models_told():
        known = ", ".join(models_told())
        return {"error": {"reason": "unknown-model", "message": f"no model {model!r}; there are: {known}"}}
    here = back_fill(str(event.get("cursor", "")), model, aisles(context, shelves()), most=MOST)
    return {"announced": here.announced, "cursor": here.cursor}
