"""Schedule, every minute → breakers, workers and degradation as the last minute asks for.

All of it is in the records table. If that is what does not answer, every delivery fails in every lane, and
nothing remembers it but the lanes' own metrics: by them the lanes are switched off, so that messages
wait instead of using up their receives. The first minute in which the table answers again starts them.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from chalice import Blueprint, Rate

from cloud.paused import Paused
from cloud.states import load_steady, save_steady
from functions.bounded import bounded
from functions.mending import Helm, gauges, helm, logger, now
from vigil.errors import Transient
from vigil.steady.minute import LANES, Seen, Steady, begin, minute, orders, state_of
from vigil.steady.promises import Signal

trigger = Blueprint(__name__)


@trigger.schedule(Rate(1, unit=Rate.MINUTES), name="balance")
@bounded
def on_balance(event: Any) -> dict[str, Any]:  # noqa: ARG001 - a tick says nothing
    """One decision, remembered before it is carried out: a crash between is made good a minute later."""
    wheel, at = helm(), now()
    try:
        after, paused = _decided(wheel, at), Paused(wheel.states).lanes()
    except Transient as fault:
        return _without_memory(wheel, at, fault)
    ordered = {
        lane: replace(order, enabled=order.enabled and lane not in paused)
        for lane, order in orders(after).items()
    }
    changed = [lane for lane in LANES if wheel.mappings[lane].obey(ordered[lane])]
    _tell(after)
    logger().info("balance", extra={"changed": changed, "level": after.relief.level})
    return {"changed": changed}


def _decided(wheel: Helm, at: datetime) -> Steady:
    """What this minute asks for, remembered."""
    before = load_steady(wheel.states, lambda: begin(wheel.rules.bounds, at))
    after = minute(before, {lane: _seen(lane, wheel, at) for lane in LANES}, wheel.rules, now=at)
    save_steady(wheel.states, after)
    return after


def _without_memory(wheel: Helm, at: datetime, fault: Transient) -> dict[str, Any]:
    """The table does not answer us; where a lane's deliveries fail too, it stands still."""
    window = {"lately": wheel.rules.fuse.window}
    signals = {(lane, name): Signal(lane, name) for lane in LANES for name in ("Delivered", "Failed")}
    counted = wheel.cloudwatch.sums(wheel.namespace, signals.values(), window, now=at)["lately"]
    changed = []
    for lane in LANES:
        calls, failures = (counted.get(signals[lane, name], 0.0) for name in ("Delivered", "Failed"))
        runs = wheel.mappings[lane].running()
        if runs and wheel.rules.fuse.blows(calls, failures):
            wheel.mappings[lane].switch(enabled=False)
            changed.append(lane)
        gauges().count(f"{lane.capitalize()}BreakersOpen", int(not runs or lane in changed))
    gauges().flush()
    logger().error("no-memory", extra={"changed": changed, "detail": str(fault)})
    return {"changed": changed}


def _seen(lane: str, wheel: Helm, at: datetime) -> Seen:
    function = {"FunctionName": wheel.functions[lane]}
    return Seen(
        counted=wheel.tallies.since(lane, at - timedelta(minutes=5)),
        backlog=wheel.queues[lane].waiting(),
        throttles=int(wheel.cloudwatch.latest("AWS/Lambda Throttles", function, "Sum", now=at)),
        age_s=wheel.cloudwatch.latest(
            "AWS/SQS ApproximateAgeOfOldestMessage",
            {"QueueName": wheel.queues[lane].name},
            "Maximum",
            now=at,
        ),
    )


def _tell(steady: Steady) -> None:
    ordered = orders(steady)
    for lane in LANES:
        gauges().count(f"{lane.capitalize()}Workers", ordered[lane].workers)
        is_open = state_of(lane, steady.breakers) == "open"
        gauges().count(f"{lane.capitalize()}BreakersOpen", int(is_open))
    gauges().count("DegradationLevel", steady.relief.level)
    gauges().flush()
