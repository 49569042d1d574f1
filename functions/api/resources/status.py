"""The status of the system: lanes, breakers, degradation, completeness, service level objectives."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cloud.dynamodb.state import PAUSED_LANES_STATE, paused_lanes
from functions.api.operation import Call, operation
from functions.api.schemas.fields import ApiModel
from functions.api.schemas.status import BreakerOut, CompletenessOut, LaneStatus, Slo, SystemStatus
from functions.runtime.container import container
from vigil.reliability.slo import SloStatus, evaluate_objectives

LANES = ("live", "bulk")


@operation("GET", "/v1/status", role="operator")
def get_status(_: Call) -> SystemStatus:
    """Get the status of the system.

    Lanes, breakers, dead letters, degradation, completeness and service level objectives, as of the last
    minute.
    """
    pending = {lane: [container().executor.submit(query) for query in _lane_queries(lane)] for lane in LANES}
    slos = container().executor.submit(_slo_statuses)
    states = container().state_store.get_many("controller", "reconcile", PAUSED_LANES_STATE)
    controller, completeness = states.get("controller", {}), states.get("reconcile", {}).get("last_complete")
    paused_names = paused_lanes(states.get(PAUSED_LANES_STATE))
    return SystemStatus(
        lanes=tuple(_lane_status(lane, pending[lane], controller, lane in paused_names) for lane in LANES),
        degradation_level=controller.get("degradation", {}).get("level", 0),
        completeness=CompletenessOut(**_fields_of(CompletenessOut, completeness)) if completeness else None,
        slos=slos.result(),
    )


def _lane_queries(lane: str) -> Sequence[Callable[[], int]]:
    """AWS calls about a lane, to run in parallel."""
    return (
        container().lane_queue(lane).visible_messages,
        container().dead_letter_queue(lane).visible_messages,
        container().lane_mappings[lane].is_enabled,
    )


def _slo_statuses() -> tuple[Slo, ...]:
    sums = partial(
        container().cloudwatch.sum_by_window, container().settings.metrics_namespace, now=datetime.now(UTC)
    )
    return tuple(map(_to_slo, evaluate_objectives(container().slo_objectives, sums)))


def _to_slo(status: SloStatus) -> Slo:
    objective = status.objective
    return Slo(
        name=objective.name,
        description=objective.description,
        target=objective.target,
        good_ratio=dict(status.good_share),
        burn_rate=dict(status.burn_rate),
        budget_remaining=status.budget_remaining,
    )


def _lane_status(
    lane: str, pending: list[Future[int]], controller: Mapping[str, Any], is_paused: bool
) -> LaneStatus:
    visible, dead_letters, running = (one.result() for one in pending)
    breakers = [one for one in controller.get("breakers", ()) if one["lane"] == lane]
    return LaneStatus(
        lane=lane,
        visible_messages=visible,
        dead_letters=dead_letters,
        running=bool(running),
        paused=is_paused,
        workers=controller.get("allocation", {}).get(lane),
        breakers=tuple(BreakerOut(**_fields_of(BreakerOut, one)) for one in breakers),
    )


def _fields_of(model: type[ApiModel], state: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a model from a stored state, which has others beside them."""
    return {name: state[name] for name in model.model_fields}
