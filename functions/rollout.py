"""Schedule, or an alarm on active releases → each model's releases one step further, or one back."""

from collections.abc import Callable
from typing import Any

from chalice import Blueprint, Rate

from cloud.dynamodb.maintenance_state import load_reembedding_state
from functions.runtime.handler import lambda_handler
from functions.runtime.settings import settings
from functions.runtime.wiring_training import (
    logger,
    now,
    release_stores,
    state_store,
)
from vigil.errors import ConcurrentUpdate
from vigil.releases.rollout import advance_rollout

trigger = Blueprint(__name__)


@trigger.schedule(Rate(1, unit=Rate.MINUTES), name="rollout")
@lambda_handler
def on_rollout(event: Any) -> dict[str, Any]:
    """{"moved": {release: stage}}; whoever was overtaken looks again a minute later.

    An alarm says that something is wrong with some active release; which one, what is kept of each says.
    """
    if alarm := (event.detail or {}).get("alarmName"):
        logger().warning("alarm", extra={"alarm": alarm})
    moved = {
        life: stage
        for model in release_stores().releases.models()
        for life, stage in _advance_model(model).items()
    }
    return {"moved": moved}


def _advance_model(model: str) -> dict[str, str]:
    stores = release_stores()
    try:
        releases = advance_rollout(
            model,
            stores.releases,
            stores.comparisons,
            stores.health,
            stores.gates,
            now=now(),
            is_ready=_reembedding_check(model),
        )
    except ConcurrentUpdate as first:
        logger().warning("concurrent-update", extra={"model": model, "detail": str(first)})
        return {}
    for life in releases:
        reasons = life.history[-1].reasons if life.history else ()
        logger().info(life.stage, extra={"model": model, "release": life.release, "reasons": reasons})
    return {life.release: life.stage for life in releases}


def _reembedding_check(model: str) -> Callable[[str], bool]:
    """A release of the model whose outputs are kept waits until they are kept for it too."""
    return (
        load_reembedding_state(state_store(), model).is_ready
        if model == settings().enrolment_model
        else lambda _: True
    )
