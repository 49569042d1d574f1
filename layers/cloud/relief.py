"""Port Reliefs: the steps of degradation in force, as the balance function last decided."""

import time
from collections.abc import Sequence

from cloud.state import States
from vigil.steady.degrade import Step


class ReliefInForce:
    """fresh_s  seconds for which a look at the state row is good"""

    def __init__(self, states: States, steps: Sequence[Step], *, fresh_s: float) -> None:
        self._states, self._steps, self._fresh_s = states, steps, fresh_s
        self._level, self._looked = 0, float("-inf")

    def __call__(self) -> Sequence[Step]:
        now = time.monotonic()
        if now - self._looked >= self._fresh_s:
            row = self._states.get("steady")
            self._level, self._looked = (int(row["relief"]["level"]) if row else 0), now
        return self._steps[: self._level]
