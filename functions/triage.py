"""Schedule, or the alarm on a dead-letter queue → letters redriven, quarantined or left, for a reason."""

from dataclasses import asdict
from typing import Any

from chalice import Blueprint, Rate

from functions.bounded import bounded
from functions.mending import gaps, gauges, logger, now, ward
from functions.wiring import outbox
from vigil.flow.retell import retell
from vigil.flow.triage import mend

trigger = Blueprint(__name__)

MOST = 500
"""Letters a lane and run."""


@trigger.schedule(Rate(2, unit=Rate.MINUTES), name="triage")
@bounded
def on_triage(event: Any) -> dict[str, Any]:
    """One round over both lanes' dead letters, and over what could not be published; the log says why."""
    done = asdict(mend(ward(), owner=event.context.aws_request_id, most=MOST))
    done["retold"] = retell(gaps(), outbox().topic, ward().diary, origin=outbox().origin, clock=now)
    counted = {"Redriven": "redriven", "Quarantined": "quarantined", "NewFaults": "new_faults"}
    for name, kind in counted.items():
        gauges().count(name, done[kind])
    gauges().flush()
    logger().info("triage", extra=done)
    return done
