"""How long a failed message waits before it is tried again."""

import random

FIRST_S = 2
LONGEST_S = 900
_RNG = random.Random()  # noqa: S311 - jitter, not a secret


def delay_s(attempt: int, *, rng: random.Random = _RNG) -> int:
    """Seconds before attempt + 1: doubling from 2 s to 15 min, with jitter over the upper half.

    attempt  how often the message was received so far, from 1
    """
    most = min(FIRST_S << min(attempt - 1, 20), LONGEST_S)
    draw = rng.uniform(0.5, 1.0)
    return max(1, round(most * draw))
