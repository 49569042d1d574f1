"""Schedule, every minute → breakers, workers and degradation as the last minute asks for.

All of it is in the records table. If that is what does not answer, every delivery fails in every lane, and
nothing remembers it but the lanes' own metrics: by them the lanes are switched off, so that messages
wait instead of using up their receives. The first minute in which the table answers again starts them.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from chalice import Blueprint, Rate

from cloud.dynamodb.maintenance_state import load_controller_state, save_controller_state
from cloud.dynamodb.state import PausedLanes
from functions.runtime.handler import lambda_handler
from functions.runtime.wiring_reliability import (
    ControllerPorts,
    controller_ports,
    emf_metrics,
    logger,
    now,
)
from vigil.errors import Transient
from vigil.reliability.controller import (
    LANES,
    ControllerState,
    LaneObservation,
    control_step,
    initial_state,
    lane_breaker_state,
    mapping_settings,
)
from vigil.reliability.slo import MetricRef

trigger = Blueprint(__name__)


@trigger.schedule(Rate(1, unit=Rate.MINUTES), name="balance")
@lambda_handler
def on_balance(event: Any) -> dict[str, Any]:  # noqa: ARG001 - a tick says nothing
    """One decision, remembered before it is carried out: a crash between is made good a minute later."""
    ports, at = controller_ports(), now()
    try:
        after, paused = _decide(ports, at), PausedLanes(ports.states).lanes()
    except Transient as fault:
        return _stop_failing_lanes(ports, at, fault)
    settings_by_lane = {
        lane: replace(order, enabled=order.enabled and lane not in paused)
        for lane, order in mapping_settings(after).items()
    }
    changed = [lane for lane in LANES if ports.mappings[lane].apply(settings_by_lane[lane])]
    _record_metrics(after)
    logger().info("balance", extra={"changed": changed, "level": after.degradation.level})
    return {"changed": changed}


def _decide(ports: ControllerPorts, at: datetime) -> ControllerState:
    """What this minute asks for, remembered."""
    before = load_controller_state(ports.states, lambda: initial_state(ports.rules.limits, at))
    after = control_step(
        before, {lane: _observe_lane(lane, ports, at) for lane in LANES}, ports.rules, now=at
    )
    save_controller_state(ports.states, after)
    return after


def _stop_failing_lanes(ports: ControllerPorts, at: datetime, error: Transient) -> dict[str, Any]:
    """The table does not answer us; where a lane's deliveries fail too, it stands still."""
    window = {"lately": ports.rules.breaker.window}
    signals = {(lane, name): MetricRef(lane, name) for lane in LANES for name in ("Delivered", "Failed")}
    counted = ports.cloudwatch.sum_by_window(ports.namespace, signals.values(), window, now=at)["lately"]
    changed = []
    for lane in LANES:
        calls, failures = (counted.get(signals[lane, name], 0.0) for name in ("Delivered", "Failed"))
        runs = ports.mappings[lane].is_enabled()
        if runs and ports.rules.breaker.should_trip(calls, failures):
            ports.mappings[lane].set_enabled(enabled=False)
            changed.append(lane)
        emf_metrics().count(f"{lane.capitalize()}BreakersOpen", int(not runs or lane in changed))
    emf_metrics().flush()
    logger().error("controller-state-unavailable", extra={"changed": changed, "detail": str(error)})
    return {"changed": changed}


def _observe_lane(lane: str, ports: ControllerPorts, at: datetime) -> LaneObservation:
    function = {"FunctionName": ports.functions[lane]}
    return LaneObservation(
        counts=ports.lane_counts.since(lane, at - timedelta(minutes=5)),
        backlog=ports.queues[lane].visible_messages(),
        throttles=int(ports.cloudwatch.latest("AWS/Lambda Throttles", function, "Sum", now=at)),
        age_s=ports.cloudwatch.latest(
            "AWS/SQS ApproximateAgeOfOldestMessage",
            {"QueueName": ports.queues[lane].name},
            "Maximum",
            now=at,
        ),
    )


def _record_metrics(state: ControllerState) -> None:
    settings_by_lane = mapping_settings(state)
    for lane in LANES:
        emf_metrics().count(f"{lane.capitalize()}Workers", settings_by_lane[lane].workers)
        is_open = lane_breaker_state(lane, state.breakers) == "open"
        emf_metrics().count(f"{lane.capitalize()}BreakersOpen", int(is_open))
    emf_metrics().count("DegradationLevel", state.degradation.level)
    emf_metrics().flush()
