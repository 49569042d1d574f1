"""Circuit breaker of one dependency in one lane: closed, open, half-open.

    closed ── failures reach the rate ──> open ── cool-down over ──> half-open
      ▲                                     ▲                            │
      └──────────── probes succeed ─────────│──── probes fail ───────────┘

While it is open the lane's event source mapping is disabled: messages wait in the queue without using up
their receives. Each time the probes fail, the next cool-down is twice as long.

A breaker stops a whole lane, so no single input and no single source may open it. It counts first attempts
only, and each group of sources has the same weight, however many inputs it sends.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

BreakerState = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """`openings` counts openings since it was last closed."""

    state: BreakerState
    since: datetime
    openings: int = 0


@dataclass(frozen=True, slots=True)
class CallCounts:
    """Calls of one dependency in one time bucket that began `at`.

    first_attempts  (calls, failures) of first attempts, by group of sources
    """

    at: datetime
    calls: int
    failures: int
    first_attempts: Mapping[int, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a breaker opens and closes.

    window            time in which calls are counted
    min_calls         first attempts below which the failure rate is ignored
    min_groups        groups of sources that must fail, so that the inputs of fewer sources never open it
    max_failure_rate  failures / calls at which it opens, 0 to 1, as the mean of the groups of sources
    probes            calls that decide while it is half-open
    """

    window: timedelta = timedelta(minutes=2)
    min_calls: int = 20
    min_groups: int = 1
    max_failure_rate: float = 0.5
    probes: int = 4
    initial_cool_down: timedelta = timedelta(seconds=60)
    max_cool_down: timedelta = timedelta(minutes=15)

    def should_trip(self, calls: float, failures: float) -> bool:
        return _exceeds_failure_rate(calls, failures, self.min_calls, self.max_failure_rate)

    def cool_down(self, openings: int) -> timedelta:
        """The cool-down after this number of consecutive openings, from 1."""
        return min(self.initial_cool_down * (1 << min(max(openings - 1, 0), 20)), self.max_cool_down)


def closed_breaker(now: datetime) -> CircuitBreaker:
    return CircuitBreaker("closed", now)


def next_breaker(
    breaker: CircuitBreaker, counts: Iterable[CallCounts], policy: BreakerPolicy, *, now: datetime
) -> CircuitBreaker:
    """The breaker after the calls since its last change; at most one change per step."""
    begin = max(breaker.since, now - policy.window) if breaker.state == "closed" else breaker.since
    recent = [one for one in counts if one.at >= begin]
    calls, failures = sum(one.calls for one in recent), sum(one.failures for one in recent)
    attempts, failing_groups, rate = _fair_failure_rate(recent)
    match breaker.state:
        case "closed":
            trips = attempts >= policy.min_calls and rate >= policy.max_failure_rate
            return _opened(breaker, now) if trips and failing_groups >= policy.min_groups else breaker
        case "open":
            has_cooled_down = now - breaker.since >= policy.cool_down(breaker.openings)
            return replace(breaker, state="half-open", since=now) if has_cooled_down else breaker
        case "half-open":
            fails = _exceeds_failure_rate(calls, failures, policy.probes, policy.max_failure_rate)
            if fails and (policy.min_groups == 1 or failing_groups >= policy.min_groups):
                return _opened(breaker, now)
            return closed_breaker(now) if calls >= policy.probes else breaker


def combined_state(breakers: Sequence[CircuitBreaker]) -> BreakerState:
    """The state of a lane with these breakers: any open one stops it, any half-open one limits it."""
    states = {breaker.state for breaker in breakers}
    return "open" if "open" in states else "half-open" if "half-open" in states else "closed"


def _fair_failure_rate(counts: Sequence[CallCounts]) -> tuple[int, int, float]:
    """First attempts, groups of sources with a failure, and the mean of the failure rates of the groups."""
    calls: Counter[int] = Counter()
    failures: Counter[int] = Counter()
    for one in counts:
        for group, (group_calls, group_failures) in one.first_attempts.items():
            calls[group] += group_calls
            failures[group] += group_failures
    rates = [failures[group] / called for group, called in calls.items() if called]
    return calls.total(), sum(rate > 0 for rate in rates), sum(rates) / len(rates) if rates else 0.0


def _exceeds_failure_rate(calls: float, failures: float, min_calls: int, max_failure_rate: float) -> bool:
    return calls >= min_calls and failures >= max_failure_rate * calls


def _opened(breaker: CircuitBreaker, now: datetime) -> CircuitBreaker:
    return CircuitBreaker("open", now, breaker.openings + 1)
