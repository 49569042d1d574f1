"""What functions remember between runs: one row of the records table for each name."""

from collections.abc import Mapping, Sequence
from typing import Any

from cloud.dynamodb.attributes import to_item
from cloud.dynamodb.queries import Table
from cloud.dynamodb.schema import STATE
from cloud.polling_cache import PollingCache
from vigil.reliability.degradation import DegradationStep
from vigil.reliability.lane_counts import LANES

PAUSED_LANES = {f"paused_lane#{lane}": lane for lane in LANES}
"""The name of each lane's state: one row a lane, so that pausing two at once loses neither."""


class DynamoStateStore:
    def __init__(self, client: Any, table: str) -> None:
        self._rows = Table(client, table)

    def get_many(self, *names: str) -> dict[str, dict[str, Any]]:
        """The stored values of these names, read in one call."""
        keys = [STATE.key(name=name) for name in names]
        found = {row["pk"]: row["value"] for row in self._rows.batch_get(keys, "read states")}
        by_name = {name: found.get(STATE.partition(name=name)) for name in names}
        return {name: value for name, value in by_name.items() if value is not None}

    def get(self, name: str) -> dict[str, Any] | None:
        """The value that was put last; None if there is none."""
        row = self._rows.get(STATE.key(name=name), "read state")
        return row["value"] if row is not None else None

    def put(self, name: str, value: Mapping[str, Any]) -> None:
        self._rows.put(STATE.key(name=name) | to_item({"value": dict(value)}), "save state")


def reembedding_state_name(model: str) -> str:
    """Another one than that of 0.2.0, whose state has another form and is computed again."""
    return f"reembedding_progress#{model}"


def paused_lanes(states: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """The lanes that are paused in these states."""
    return frozenset(lane for name, lane in PAUSED_LANES.items() if states.get(name, {}).get("paused"))


class PausedLanes:
    """The lanes that an operator paused; the controller does not start them."""

    def __init__(self, states: DynamoStateStore) -> None:
        self._states = states

    def lanes(self) -> frozenset[str]:
        return paused_lanes(self._states.get_many(*PAUSED_LANES))

    def pause(self, lane: str) -> None:
        self._save(lane, paused=True)

    def resume(self, lane: str) -> None:
        self._save(lane, paused=False)

    def _save(self, lane: str, *, paused: bool) -> None:
        self._states.put(f"paused_lane#{lane}", {"paused": paused})


class CachedDegradation(PollingCache[Sequence[DegradationStep]]):
    """The degradation steps in force, by the controller's last decision."""

    def __init__(
        self, states: DynamoStateStore, steps: Sequence[DegradationStep], *, max_age_s: float
    ) -> None:
        super().__init__((), max_age_s=max_age_s)
        self._states, self._steps = states, steps

    def _read(self) -> Sequence[DegradationStep]:
        row = self._states.get("controller")
        return self._steps[: int(row["degradation"]["level"]) if row else 0]
