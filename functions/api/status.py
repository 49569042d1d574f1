"""How the system is: promises, lanes, breakers, dead letters, degradation, completeness."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cloud import paused
from functions.api import wiring
from functions.api.operation import Call, Operation
from functions.api.schemas import operations as shapes
from functions.settings import settings
from vigil.steady.promises import Promise, followed

LANES = ("live", "bulk")


def get_status(_: Call) -> shapes.Status:
    """Lanes, breakers, dead letters, degradation, completeness; as of the last minute."""
    seen = {lane: [wiring.aside().submit(look) for look in _looks(lane)] for lane in LANES}
    promises = wiring.aside().submit(_promises)
    states = wiring.states().read("steady", "reconcile", paused.NAME)
    steady, walked = states.get("steady", {}), states.get("reconcile", {}).get("whole")
    standing = paused.lanes(states.get(paused.NAME))
    whole = {name: walked[name] for name in ("objects", "settled", "young")} if walked else None
    return shapes.Status(
        lanes=tuple(_lane(lane, seen[lane], steady, lane in standing) for lane in LANES),
        degradation=steady.get("relief", {}).get("level", 0),
        completeness=shapes.Completeness(**whole) if whole else None,
        promises=promises.result(),
    )


def _looks(lane: str) -> Sequence[Callable[[], int]]:
    """What is asked of AWS about a lane: all of it at once."""
    steered = wiring.steering(lane)
    return steered.queue.waiting, steered.dead.waiting, steered.mapping.running


def _promises() -> tuple[shapes.Promised, ...]:
    sums = partial(wiring.metrics().sums, settings().metrics_namespace, now=datetime.now(UTC))
    return tuple(map(_promised, followed(wiring.objectives(), sums)))


def _promised(promise: Promise) -> shapes.Promised:
    told = promise.objective
    return shapes.Promised(
        name=told.name,
        says=told.says,
        target=told.target,
        good=dict(promise.good),
        burn=dict(promise.burn),
        left=promise.left,
    )


def _lane(
    lane: str, seen: list[Future[int]], steady: Mapping[str, Any], is_paused: bool
) -> shapes.LaneStatus:
    waiting, dead, running = (one.result() for one in seen)
    breakers = [one for one in steady.get("breakers", ()) if one["lane"] == lane]
    return shapes.LaneStatus(
        lane=lane,
        waiting=waiting,
        dead=dead,
        running=bool(running),
        paused=is_paused,
        workers=steady.get("share", {}).get(lane),
        breakers=tuple(
            shapes.Breaker(dependency=one["dependency"], state=one["state"], since=one["since"])
            for one in breakers
        ),
    )


OPERATIONS = (
    Operation(
        "GET",
        "/v1/status",
        name="get-status",
        summary="How the system is",
        serve=get_status,
        role="operator",
        answers=shapes.Status,
    ),
)
