"""The status of the system: lanes, unpublished events, degradation, completeness, objectives."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from cloud.dynamodb.state import PAUSED_LANES, paused_lanes
from functions.api.operation import Call, operation
from functions.api.schemas.fields import ApiModel
from functions.api.schemas.status import (
    BreakerOut,
    CompletenessOut,
    LaneStatus,
    Slo,
    SystemStatus,
    UnpublishedEvents,
)
from functions.runtime.container import container
from vigil.reliability.lane_counts import LANES, LaneCounts
from vigil.reliability.slo import SloStatus, evaluate_objectives

COUNTS_WINDOW = timedelta(minutes=10)
"""The time whose calls and failures are counted; the schema states it."""


@operation("GET", "/v1/status", role="operator", bound_tokens="allowed")
def get_status(_: Call) -> SystemStatus:
    """Get the status of the system.

    Lanes, breakers, dead letters, unpublished events, degradation, completeness and service level objectives,
    as of the last minute.
    """
    submit, queues = container().executor.submit, _queue_names()
    pending = {lane: [submit(query) for query in _lane_queries(lane)] for lane in LANES}
    slos, batches = submit(_slo_statuses), submit(container().dead_letter_queue("publish").message_counts)
    ages = submit(container().cloudwatch.oldest_message_ages, [*queues.values()], now=datetime.now(UTC))
    states = container().state_store.get_many("controller", "reconcile", *PAUSED_LANES)
    controller, completeness = states.get("controller", {}), states.get("reconcile", {}).get("last_complete")
    paused_names = paused_lanes(states)
    ages_s = {name: ages.result()[queue] for name, queue in queues.items()}
    return SystemStatus(
        lanes=tuple(
            _lane_status(lane, pending[lane], controller, ages_s[lane], lane in paused_names)
            for lane in LANES
        ),
        unpublished=UnpublishedEvents(batches=sum(batches.result()), oldest_age_s=ages_s["unpublished"]),
        degradation_level=controller.get("degradation", {}).get("level", 0),
        completeness=CompletenessOut(**_fields_of(CompletenessOut, completeness)) if completeness else None,
        slos=slos.result(),
    )


def _queue_names() -> dict[str, str]:
    """The queues whose oldest messages are shown."""
    lanes = {lane: container().lane_queue(lane).name for lane in LANES}
    return {**lanes, "unpublished": container().dead_letter_queue("publish").name}


def _lane_queries(lane: str) -> Sequence[Callable[[], Any]]:
    """AWS calls about a lane, to run in parallel."""
    return (
        container().lane_queue(lane).message_counts,
        container().dead_letter_queue(lane).message_counts,
        container().lane_mappings[lane].is_enabled,
        partial(container().lane_counts.since, lane, datetime.now(UTC) - COUNTS_WINDOW),
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
    lane: str, pending: list[Future[Any]], controller: Mapping[str, Any], age_s: float, is_paused: bool
) -> LaneStatus:
    (visible, in_flight), dead_letters, is_running, counts = (one.result() for one in pending)
    breakers = [one for one in controller.get("breakers", ()) if one["lane"] == lane]
    return LaneStatus(
        lane=lane,
        visible_messages=visible,
        in_flight_messages=in_flight,
        oldest_message_age_s=age_s,
        calls=sum(one.calls for one in counts),
        failures=_sum_failures(counts),
        dead_letters=sum(dead_letters),
        running=is_running,
        paused=is_paused,
        workers=controller.get("allocation", {}).get(lane),
        breakers=tuple(BreakerOut(**_fields_of(BreakerOut, one)) for one in breakers),
    )


def _sum_failures(counts: Sequence[LaneCounts]) -> dict[str, int]:
    """By dependency, the most failures first."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one.failures)
    return dict(total.most_common())


def _fields_of(model: type[ApiModel], state: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a model from a stored state, which has others beside them."""
    return {name: state[name] for name in model.model_fields}
