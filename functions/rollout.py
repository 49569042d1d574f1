"""Schedule, or an alarm on active releases → each model's releases are promoted or rolled back."""

from collections.abc import Callable
from typing import Any

from chalice import Blueprint, Rate

from cloud.dynamodb.maintenance_state import load_reembedding_state
from functions.runtime.container import container
from functions.runtime.handler import lambda_handler
from vigil.errors import ConcurrentUpdate
from vigil.releases.gates import default_gates
from vigil.releases.rollout import advance_rollout

trigger = Blueprint(__name__)


@trigger.schedule(Rate(1, unit=Rate.MINUTES), name="rollout")
@lambda_handler
def on_rollout(event: Any) -> dict[str, Any]:
    """{"moved": {release: stage}}; after a concurrent update the next run decides again.

    An alarm does not name the release; its health counts do.
    """
    if alarm := (event.detail or {}).get("alarmName"):
        container().logger.warning("alarm", extra={"alarm": alarm})
    moved = {
        life: stage
        for model in container().releases.models()
        for life, stage in _advance_model(model).items()
    }
    return {"moved": moved}


def _advance_model(model: str) -> dict[str, str]:
    c = container()
    try:
        releases = advance_rollout(
            model,
            c.releases,
            c.comparisons,
            c.release_health,
            default_gates(),
            now=c.clock(),
            is_ready=_reembedding_check(model),
        )
    except ConcurrentUpdate as first:
        container().logger.warning("concurrent-update", extra={"model": model, "detail": str(first)})
        return {}
    for life in releases:
        reasons = life.history[-1].reasons if life.history else ()
        container().logger.info(
            life.stage, extra={"model": model, "release": life.release, "reasons": reasons}
        )
    return {life.release: life.stage for life in releases}


def _reembedding_check(model: str) -> Callable[[str], bool]:
    """A release of the enrolment model waits until everybody enrolled has a template for it."""
    return (
        load_reembedding_state(container().state_store, model).is_ready
        if model == container().settings.enrolment_model
        else lambda _: True
    )
