"""Where a drop is and how long each stage took: for metrics, for locating faults, for keeping its lease."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Stages:
    """Marks stages as they begin. `entered` hears of each; what it raises stops the drop there."""

    entered: Callable[[str], None]
    now: str = "claim"
    times_ms: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.perf_counter)

    def __call__(self, stage: str) -> None:
        self._close()
        self.now = stage
        self.entered(stage)

    def closed(self) -> dict[str, float]:
        """Milliseconds by stage, the present one included."""
        self._close()
        return {stage: round(ms, 2) for stage, ms in self.times_ms.items()}

    def _close(self) -> None:
        now = time.perf_counter()
        self.times_ms[self.now] = self.times_ms.get(self.now, 0.0) + (now - self._since) * 1000
        self._since = now
