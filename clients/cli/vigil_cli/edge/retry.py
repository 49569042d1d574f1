"""Growing pauses between attempts."""

import random
from collections.abc import Callable

FIRST_PAUSE_S, MAX_PAUSE_S = 1.0, 60.0
_JITTER_RNG = random.Random()  # noqa: S311 - jitter, not a secret


class Backoff:
    """Pauses of 1 s, 2 s, 4 s, up to a minute, with jitter over their upper half, until a success."""

    def __init__(self, sleep: Callable[[float], object], rng: random.Random = _JITTER_RNG) -> None:
        self._sleep, self._rng, self._failures = sleep, rng, 0

    def reset(self) -> None:
        self._failures = 0

    def wait(self) -> None:
        pause_s = min(FIRST_PAUSE_S * 2 ** min(self._failures, 16), MAX_PAUSE_S)
        self._failures += 1
        self._sleep(pause_s * self._rng.uniform(0.5, 1.0))
