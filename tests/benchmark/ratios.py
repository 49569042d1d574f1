"""Two implementations timed in turns, so that load on the machine affects both."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Action = Callable[[], object]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Ratio:
    """Medians over all rounds: the ratio within a round, and milliseconds of each side."""

    ours_over_theirs: float
    ours_ms: float
    theirs_ms: float


def measure_ratio(
    ours: Action, theirs: Action, *, rounds: int, warm_up: int = 3, clock: Clock = time.perf_counter
) -> Ratio:
    """Time both in every round, in alternating order.

    clock  in seconds; `time.thread_time` for what runs on this thread alone, as other processes do not count
    """
    pairs: list[tuple[float, float]] = []
    for number in range(rounds + warm_up):
        first, second = (ours, theirs) if number % 2 else (theirs, ours)
        times = {first: time_ms(first, clock)}
        times[second] = time_ms(second, clock)
        if number >= warm_up:
            pairs.append((times[ours], times[theirs]))
    return Ratio(
        statistics.median(mine / other for mine, other in pairs),
        statistics.median(mine for mine, _ in pairs),
        statistics.median(other for _, other in pairs),
    )


def time_ms(action: Action, clock: Clock = time.perf_counter) -> float:
    started_s = clock()
    action()
    return (clock() - started_s) * 1000
