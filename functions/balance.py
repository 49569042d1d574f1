"""Schedule, every minute → breakers, workers and degradation follow the load of the last minute.

The controller's state is in the records table. While the table is unavailable every delivery fails, and only
the metrics of the lanes show it: lanes that fail by their metrics are stopped, so that messages wait without
using up their receives. The first run with an available table starts them again.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from chalice import Blueprint, Rate

from cloud.cloudwatch import EmfMetrics
from cloud.dynamodb.maintenance_state import load_controller_state, save_controller_state
from cloud.lambda_api import function_name
from functions.runtime.container import Container, container
from functions.runtime.handler import lambda_handler
from vigil.errors import Transient
from vigil.reliability.controller import (
    ControllerState,
    LaneObservation,
    control_step,
    initial_state,
    lane_breaker_state,
    mapping_settings,
)
from vigil.reliability.lane_counts import LANES
from vigil.reliability.slo import MetricRef

trigger = Blueprint(__name__)

COUNTED = ("Delivered", "DependencyFailed")
"""The metrics of a lane that decide; a bug follows its input and stops no lane."""


@trigger.schedule(Rate(1, unit=Rate.MINUTES), name="balance")
@lambda_handler
def on_balance(event: Any) -> dict[str, Any]:  # noqa: ARG001 - a schedule's event has no content
    """The decision is saved before it is carried out: the next run repairs a crash in between."""
    c = container()
    at = c.clock()
    try:
        after, paused = _decide(c, at), c.paused_lanes.lanes()
    except Transient as fault:
        return _stop_failing_lanes(c, at, fault)
    settings_by_lane = {
        lane: replace(order, enabled=order.enabled and lane not in paused)
        for lane, order in mapping_settings(after).items()
    }
    changed = [lane for lane in LANES if c.lane_mappings[lane].apply(settings_by_lane[lane])]
    _record_metrics(after, c.metrics)
    c.logger.info("balance", extra={"changed": changed, "level": after.degradation.level})
    return {"changed": changed}


def _decide(c: Container, at: datetime) -> ControllerState:
    """The new state, saved."""
    before = load_controller_state(c.state_store, lambda: initial_state(c.controller_policy.limits, at))
    after = control_step(
        before, {lane: _observe_lane(lane, c, at) for lane in LANES}, c.controller_policy, now=at
    )
    save_controller_state(c.state_store, after)
    return after


def _stop_failing_lanes(c: Container, at: datetime, error: Transient) -> dict[str, Any]:
    """Stop the lanes whose deliveries fail by their metrics."""
    window = {"lately": c.controller_policy.breaker.window}
    signals = {(lane, name): MetricRef(lane, name) for lane in LANES for name in COUNTED}
    counted = c.cloudwatch.sum_by_window(c.settings.metrics_namespace, signals.values(), window, now=at)[
        "lately"
    ]
    changed = []
    for lane in LANES:
        calls, failures = (counted.get(signals[lane, name], 0.0) for name in COUNTED)
        runs = c.lane_mappings[lane].is_enabled()
        if runs and c.controller_policy.breaker.should_trip(calls, failures):
            c.lane_mappings[lane].set_enabled(enabled=False)
            changed.append(lane)
        c.metrics.count(f"{lane.capitalize()}BreakersOpen", int(not runs or lane in changed))
    c.metrics.flush()
    c.logger.error("controller-state-unavailable", extra={"changed": changed, "detail": str(error)})
    return {"changed": changed}


def _observe_lane(lane: str, c: Container, at: datetime) -> LaneObservation:
    queue, function = c.lane_queue(lane), {"FunctionName": function_name(c.settings.lane_function(lane))}
    return LaneObservation(
        counts=c.lane_counts.since(lane, at - timedelta(minutes=5)),
        backlog=queue.visible_messages(),
        throttles=int(c.cloudwatch.latest("AWS/Lambda Throttles", function, "Sum", now=at)),
        age_s=c.cloudwatch.oldest_message_ages([queue.name], now=at)[queue.name],
    )


def _record_metrics(state: ControllerState, metrics: EmfMetrics) -> None:
    settings_by_lane = mapping_settings(state)
    for lane in LANES:
        metrics.count(f"{lane.capitalize()}Workers", settings_by_lane[lane].workers)
        is_open = lane_breaker_state(lane, state.breakers) == "open"
        metrics.count(f"{lane.capitalize()}BreakersOpen", int(is_open))
    metrics.count("DegradationLevel", state.degradation.level)
    metrics.flush()
