"""Schedule → templates of enrolled people for further releases are computed, old ones are deleted."""

from dataclasses import asdict
from typing import Any

from chalice import Blueprint, Rate

from cloud.dynamodb.maintenance_state import load_reembedding_state, save_reembedding_state
from functions.runtime.container import container
from functions.runtime.handler import lambda_handler

trigger = Blueprint(__name__)

TIME_MARGIN_MS = 15_000
"""No person is begun with less time left: a segment remains to be stored."""


@trigger.schedule(Rate(1, unit=Rate.MINUTES), name="reembed")
@lambda_handler
def on_reembed(event: Any) -> dict[str, Any]:
    """{"releases": {release: {"people", "missing_reference", "remaining"}}}; the next run continues."""
    c, model = container(), container().settings.enrolment_model
    before = load_reembedding_state(c.state_store, model)
    run = c.reembedding.run(before, lambda: event.context.get_remaining_time_in_millis() > TIME_MARGIN_MS)
    for release, detail in run.failures.items():
        c.logger.warning("reembedding-failed", extra={"release": release, "detail": detail})
    progress = {release: asdict(one) for release, one in run.state.progress.items()}
    if run.state != before:
        save_reembedding_state(c.state_store, model, run.state)
        c.logger.info("reembed", extra={"releases": progress, "retired": dict(run.state.retired)})
    return {"releases": progress}
