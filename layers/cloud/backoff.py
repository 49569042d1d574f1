"""Pauses between attempts of a call: exponential with full jitter, and bounded."""

import random
import time

FIRST_PAUSE_S, MAX_PAUSE_S = 0.025, 0.4
_JITTER_RNG = random.Random()  # noqa: S311 - jitter, not a secret


def max_pause_s(attempt: int) -> float:
    """The longest pause after an attempt, which counts from 1."""
    return float(min(FIRST_PAUSE_S * 2 ** (attempt - 1), MAX_PAUSE_S))


def pause(attempt: int, *, rng: random.Random = _JITTER_RNG) -> None:
    """Wait before the next attempt, so that writers that met once do not meet again."""
    time.sleep(rng.uniform(0, max_pause_s(attempt)))
