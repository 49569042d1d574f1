"""Schedule, or the alarm on a dead-letter queue → dead letters are redriven, quarantined or left."""

from dataclasses import asdict
from typing import Any

from chalice import Blueprint, Rate

from functions.runtime.container import container
from functions.runtime.handler import lambda_handler, recorded_run
from vigil.drops.events import UnpublishedService
from vigil.reliability.triage import run_triage

trigger = Blueprint(__name__)

MAX_MESSAGES_PER_LANE = 500
"""The number of dead letters of one lane in one run."""


REPUBLISH_MARGIN_MS = 8_000
"""No page of events is published again with less time left."""


@trigger.schedule(Rate(2, unit=Rate.MINUTES), name="triage")
@lambda_handler
def on_triage(event: Any) -> dict[str, Any]:
    """Process the dead letters of both lanes, and the events that could not be published."""
    c = container()
    with recorded_run(event, "triage") as save_report:
        report = asdict(
            run_triage(c.triage_ports, owner=event.context.aws_request_id, max_messages=MAX_MESSAGES_PER_LANE)
        )
        report |= asdict(
            UnpublishedService(
                c.unpublished_queue,
                c.topic,
                c.drop_records,
                origin=c.settings.event_source,
                clock=c.clock,
                has_time=lambda: event.context.get_remaining_time_in_millis() > REPUBLISH_MARGIN_MS,
            ).run()
        )
        save_report(report)
    counted = {"Redriven": "redriven", "Quarantined": "quarantined", "NewFaults": "new_faults"}
    for name, kind in counted.items():
        c.metrics.count(name, report[kind])
    c.metrics.flush()
    c.logger.info("triage", extra=report)
    return report
