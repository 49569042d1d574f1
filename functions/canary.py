"""Schedule → the last canary judged, the next one on its way: a known photograph through the whole system."""

from pathlib import Path
from typing import Any

from chalice import Blueprint, Rate

from functions.bounded import bounded
from functions.mending import gauges, logger, nest, now
from vigil.drops import drop_id
from vigil.steady.canary import Flight, Known, Sung, sung
from vigil.watch.judge import CANARY

trigger = Blueprint(__name__)

PHOTO = Path(__file__).with_name("canary.jpg")
KNOWN = Known(((345, 95, 568, 432),))
"""The one face in it, as models/faces/golden.toml has it."""


@trigger.schedule(Rate(5, unit=Rate.MINUTES), name="canary")
@bounded
def on_canary(event: Any) -> dict[str, Any]:  # noqa: ARG001 - a tick says nothing
    """Nobody waits: what is judged is the flight that the run before started."""
    last = nest().last()
    ended = sung(last, nest().heard(last), KNOWN) if last else Sung("", None)
    at = now()
    item = nest().start(f"live/faces/{CANARY}/{at:%Y%m%dT%H%M%S}.jpg", PHOTO.read_bytes())
    nest().remember(Flight(drop_id(item.bucket, item.key, item.version, "faces"), at))
    gauges().count("CanaryFailed", int(bool(ended.wrong)))
    if ended.ms is not None:
        gauges().ms("CanaryMs", ended.ms)
    gauges().flush()
    logger().info("canary", extra={"wrong": ended.wrong, "ms": ended.ms})
    return {"wrong": ended.wrong, "ms": ended.ms}
