"""Schedule → the photos bucket is compared with the ledger; objects without an outcome are reannounced."""

from dataclasses import asdict
from typing import Any

from chalice import Blueprint, Rate

from cloud.dynamodb.maintenance_state import load_reconcile_progress, save_reconcile_progress
from functions.runtime.container import container
from functions.runtime.handler import lambda_handler, recorded_run
from vigil.reliability.reconcile import reconcile_bucket

trigger = Blueprint(__name__)

MAX_OBJECTS_PER_RUN = 2000


@trigger.schedule(Rate(5, unit=Rate.MINUTES), name="reconcile")
@lambda_handler
def on_reconcile(event: Any) -> dict[str, Any]:
    """{"announced", "cursor"}; the metrics are those of the last complete comparison."""
    c = container()
    with recorded_run(event, "reconcile") as save_report:
        progress = reconcile_bucket(
            load_reconcile_progress(c.state_store),
            c.reconcile_ports(event.context, c.inventory_listing),
            max_messages=MAX_OBJECTS_PER_RUN,
        )
        save_reconcile_progress(c.state_store, progress)
        save_report(asdict(progress))
    if progress.last_complete is not None:
        objects, completed = progress.last_complete.objects, progress.last_complete.completed
        c.metrics.count("Objects", objects)
        c.metrics.count("UnprocessedObjects", objects - completed)
    c.metrics.count("Reannounced", progress.reannounced)
    c.metrics.flush()
    result = {"announced": progress.reannounced, "cursor": progress.cursor}
    c.logger.info("reconcile", extra=result)
    return result
