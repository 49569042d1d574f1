"""Schedule → the photos bucket is compared with the ledger; objects without an outcome are reannounced."""

from dataclasses import asdict
from typing import Any

from chalice import Blueprint, Rate

from cloud.dynamodb.maintenance_state import load_reconcile_progress, save_reconcile_progress
from cloud.s3.listing import is_in_inventory
from functions.runtime.container import container
from functions.runtime.handler import lambda_handler, recorded_run
from vigil.reliability.reconcile import ObjectListing, ReconcileProgress, reconcile_bucket

trigger = Blueprint(__name__)

MAX_OBJECTS_PER_RUN = 2000

MAX_LISTED_OBJECTS = 10_000
"""Up to so many objects the bucket is listed, which shows a lost event within minutes; the inventory of a
larger one is read instead, a day old and at a thousandth of the price."""


@trigger.schedule(Rate(5, unit=Rate.MINUTES), name="reconcile")
@lambda_handler
def on_reconcile(event: Any) -> dict[str, Any]:
    """{"announced", "cursor"}; the metrics are those of the last complete comparison."""
    c = container()
    with recorded_run(event, "reconcile") as save_report:
        before = load_reconcile_progress(c.state_store)
        ports = c.reconcile_ports(event.context, _listing(before))
        progress = reconcile_bucket(before, ports, max_messages=MAX_OBJECTS_PER_RUN)
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


def _listing(progress: ReconcileProgress) -> ObjectListing:
    """The listing of the next page; a pass that has begun with the inventory continues with it."""
    c, complete = container(), progress.last_complete
    is_small = complete is not None and complete.objects <= MAX_LISTED_OBJECTS
    return c.bucket_listing if is_small and not is_in_inventory(progress.cursor) else c.inventory_listing
