"""Two ways of doing one thing, timed in turns, so that a busy machine is unfair to neither."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Act = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Ratio:
    """Medians over all rounds: of the ratio within a round, and of each side in milliseconds."""

    ours_over_theirs: float
    ours_ms: float
    theirs_ms: float


def ratio(ours: Act, theirs: Act, *, rounds: int, warm_up: int = 3) -> Ratio:
    """Time both in every round, who is first changing from round to round."""
    pairs: list[tuple[float, float]] = []
    for number in range(rounds + warm_up):
        first, second = (ours, theirs) if number % 2 else (theirs, ours)
        times = {first: milliseconds(first)}
        times[second] = milliseconds(second)
        if number >= warm_up:
            pairs.append((times[ours], times[theirs]))
    return Ratio(
        statistics.median(mine / other for mine, other in pairs),
        statistics.median(mine for mine, _ in pairs),
        statistics.median(other for _, other in pairs),
    )


def milliseconds(act: Act) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000
