"""Schedule, or an alarm on active releases → each model's releases one step further, or one back."""

from collections.abc import Callable
from typing import Any

from chalice import Blueprint, Rate

from cloud.lives import Overtaken
from cloud.states import load_kept
from functions.bounded import bounded
from functions.learning import logger, now, registry, states
from functions.settings import settings
from vigil.flow.releases import tend

trigger = Blueprint(__name__)


@trigger.schedule(Rate(1, unit=Rate.MINUTES), name="releases")
@bounded
def on_releases(event: Any) -> dict[str, Any]:
    """{"moved": {release: stage}}; whoever was overtaken looks again a minute later.

    An alarm says that something is wrong with some active release; which one, what is kept of each says.
    """
    if alarm := (event.detail or {}).get("alarmName"):
        logger().warning("alarm", extra={"alarm": alarm})
    moved = {life: stage for model in registry().lives.models() for life, stage in _step(model).items()}
    return {"moved": moved}


def _step(model: str) -> dict[str, str]:
    here = registry()
    try:
        lives = tend(model, here.lives, here.trials, here.vitals, here.gates, now=now(), ready=_ready(model))
    except Overtaken as first:
        logger().warning("overtaken", extra={"model": model, "detail": str(first)})
        return {}
    for life in lives:
        reasons = life.history[-1].reasons if life.history else ()
        logger().info(life.stage, extra={"model": model, "release": life.id, "reasons": reasons})
    return {life.id: life.stage for life in lives}


def _ready(model: str) -> Callable[[str], bool]:
    """A release of the model whose outputs are kept waits until they are kept for it too."""
    return load_kept(states(), model).ready if model == settings().kept_model else lambda _: True
