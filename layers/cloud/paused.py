"""Lanes that somebody stopped by hand: remembered, so that balance does not start them again."""

from cloud.state import States

_NAME = "paused"


class Paused:
    """Which lanes stand still."""

    def __init__(self, states: States) -> None:
        self._states = states

    def lanes(self) -> frozenset[str]:
        return frozenset((self._states.get(_NAME) or {}).get("lanes", ()))

    def pause(self, lane: str) -> None:
        self._keep(self.lanes() | {lane})

    def resume(self, lane: str) -> None:
        self._keep(self.lanes() - {lane})

    def _keep(self, lanes: frozenset[str]) -> None:
        self._states.put(_NAME, {"lanes": sorted(lanes)})
