"""Which frame is the first of its burst that can be seen: that one is never left out, however short it is."""

from datetime import datetime, timedelta

from vigil.drops import Drop

PAUSE = timedelta(seconds=5)
"""Frames of one source that are further apart belong to two bursts."""


class Bursts:
    """What one container saw of each source last; every container looks at the first frame that it sees.

    A redelivery decides the same: a first frame stays one until the next burst begins.
    """

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._last: dict[str, datetime] = {}

    def opens(self, drop: Drop) -> bool:
        """Whether a drop is the first of its burst here."""
        last = self._last.get(drop.source)
        if drop.source not in self._first or last is None or abs(drop.at - last) > PAUSE:
            self._first[drop.source] = drop.id
        self._last[drop.source] = drop.at
        return self._first[drop.source] == drop.id

    def broken(self, drop: Drop) -> None:
        """It could not be seen: where it was the first, the next one is."""
        if self._first.get(drop.source) == drop.id:
            del self._first[drop.source]
