"""Schedule, or the alarm on a dead-letter queue → letters redriven, quarantined or left, for a reason."""

from dataclasses import asdict
from typing import Any

from chalice import Blueprint, Rate

from functions.runtime.handler import lambda_handler
from functions.runtime.wiring_core import outbound_events
from functions.runtime.wiring_reliability import (
    emf_metrics,
    logger,
    now,
    triage_ports,
    unpublished_intervals,
)
from vigil.drops.events import republish
from vigil.reliability.triage import run_triage

trigger = Blueprint(__name__)

MAX_MESSAGES_PER_LANE = 500
"""Letters a lane and run."""


@trigger.schedule(Rate(2, unit=Rate.MINUTES), name="triage")
@lambda_handler
def on_triage(event: Any) -> dict[str, Any]:
    """One round over both lanes' dead letters, and over what could not be published; the log says why."""
    report = asdict(
        run_triage(triage_ports(), owner=event.context.aws_request_id, max_messages=MAX_MESSAGES_PER_LANE)
    )
    report["republished"] = republish(
        unpublished_intervals(),
        outbound_events().topic,
        triage_ports().notes,
        origin=outbound_events().origin,
        clock=now,
    )
    counted = {"Redriven": "redriven", "Quarantined": "quarantined", "NewFaults": "new_faults"}
    for name, kind in counted.items():
        emf_metrics().count(name, report[kind])
    emf_metrics().flush()
    logger().info("triage", extra=report)
    return report
