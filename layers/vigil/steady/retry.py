"""How long a failed message waits before it is tried again."""

import random

FIRST_S = 2
LONGEST_S = 900


def delay_s(attempt: int, *, rng: random.Random | None = None) -> int:
    """Seconds before attempt + 1: doubling from 2 s to 15 min, with jitter over the upper half.

    attempt  how often the message was received so far, from 1
    """
    most = min(FIRST_S * 2 ** (attempt - 1), LONGEST_S)
    draw = (rng or random).uniform(0.5, 1.0)
    return max(1, round(most * draw))
