"""What releases say of the world in this container, added to their sketches every few seconds."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from vigil.drops import Drop
from vigil.learn.sketch import Sketch, sketched
from vigil.seeing import Scene
from vigil.watch.judge import CANARY

TOLD_S = 20.0
"""A container adds to its releases' sketches no more often."""


@dataclass
class Noticing:
    """One container's sketches by model and release since they were last told; `tell` adds them up."""

    tell: Callable[[str, str, Sketch, datetime], None]
    _held: dict[tuple[str, str], Sketch] = field(default_factory=dict)
    _last: float = float("-inf")

    def notice(self, drop: Drop, release: str, scene: Scene) -> None:
        """What was seen in a drop; the canary's photograph says nothing of the world."""
        if drop.source != CANARY and scene.sightings:
            key = (drop.model, release)
            self._held[key] = self._held.get(key, Sketch()) + sketched(scene.sightings)

    def flush(self, now: datetime) -> None:
        """The batch is done. Raises Transient where it cannot be told; then it is told with a later one."""
        if not self._held or time.monotonic() - self._last < TOLD_S:
            return
        self._last = time.monotonic()
        for (model, release), sketch in list(self._held.items()):
            self.tell(model, release, sketch, now)
            del self._held[model, release]
