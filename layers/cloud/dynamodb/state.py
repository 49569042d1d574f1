"""One row a name in the records table: what a function remembers between runs."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from cloud.dynamodb.attributes import from_item, to_item
from cloud.dynamodb.queries import batch_get
from cloud.errors import translate_errors
from vigil.reliability.degradation import DegradationStep


class DynamoStateStore:
    """Rows: state#<name> state."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def get_many(self, *names: str) -> dict[str, dict[str, Any]]:
        """Of these, what was ever put, by name; in one call."""
        rows = batch_get(
            self._client,
            self._table,
            [_state_key(name) for name in names],
            dependency="records",
            operation="read states",
        )
        found = {row["pk"]["S"].removeprefix("state#"): from_item(row)["value"] for row in rows}
        return {name: found[name] for name in names if name in found}

    def get(self, name: str) -> dict[str, Any] | None:
        """What was last put; None where nothing ever was."""
        with translate_errors("records", "read state"):
            answer = self._client.get_item(TableName=self._table, Key=_state_key(name), ConsistentRead=True)
        return from_item(answer["Item"])["value"] if "Item" in answer else None

    def put(self, name: str, value: Mapping[str, Any]) -> None:
        with translate_errors("records", "save state"):
            self._client.put_item(
                TableName=self._table, Item=_state_key(name) | to_item({"value": dict(value)})
            )


def reembedding_state_name(model: str) -> str:
    """The name of what is remembered of how far a model's releases know what is kept of its outputs."""
    return f"reembedding#{model}"


def _state_key(name: str) -> dict[str, Any]:
    return to_item({"pk": f"state#{name}", "sk": "state"})


# MERGED: Lanes that somebody stopped by hand: remembered, so that balance does not start them again.

PAUSED_LANES_STATE = "paused_lanes"
"""Of the state that remembers them."""


def paused_lanes(state: Mapping[str, Any] | None) -> frozenset[str]:
    """Which lanes a state says stand still."""
    return frozenset((state or {}).get("lanes", ()))


class PausedLanes:
    """Which lanes stand still."""

    def __init__(self, states: DynamoStateStore) -> None:
        self._states = states

    def lanes(self) -> frozenset[str]:
        return paused_lanes(self._states.get(PAUSED_LANES_STATE))

    def pause(self, lane: str) -> None:
        self._save(self.lanes() | {lane})

    def resume(self, lane: str) -> None:
        self._save(self.lanes() - {lane})

    def _save(self, lanes: frozenset[str]) -> None:
        self._states.put(PAUSED_LANES_STATE, {"lanes": sorted(lanes)})


# MERGED: Port Reliefs: the steps of degradation in force, as the balance function last decided.


class CachedDegradation:
    """fresh_s  seconds for which a look at the state row is good"""

    def __init__(
        self, states: DynamoStateStore, steps: Sequence[DegradationStep], *, max_age_s: float
    ) -> None:
        self._states, self._steps, self._max_age_s = states, steps, max_age_s
        self._level, self._checked_at = 0, float("-inf")

    def __call__(self) -> Sequence[DegradationStep]:
        now = time.monotonic()
        if now - self._checked_at >= self._max_age_s:
            row = self._states.get("controller")
            self._level, self._checked_at = (int(row["degradation"]["level"]) if row else 0), now
        return self._steps[: self._level]
