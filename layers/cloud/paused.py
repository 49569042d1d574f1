"""Lanes that somebody stopped by hand: remembered, so that balance does not start them again."""

from collections.abc import Mapping
from typing import Any

from cloud.state import States

NAME = "paused"
"""Of the state that remembers them."""


def lanes(state: Mapping[str, Any] | None) -> frozenset[str]:
    """Which lanes a state says stand still."""
    return frozenset((state or {}).get("lanes", ()))


class Paused:
    """Which lanes stand still."""

    def __init__(self, states: States) -> None:
        self._states = states

    def lanes(self) -> frozenset[str]:
        return lanes(self._states.get(NAME))

    def pause(self, lane: str) -> None:
        self._keep(self.lanes() | {lane})

    def resume(self, lane: str) -> None:
        self._keep(self.lanes() - {lane})

    def _keep(self, lanes: frozenset[str]) -> None:
        self._states.put(NAME, {"lanes": sorted(lanes)})
