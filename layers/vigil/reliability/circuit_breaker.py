"""Circuit breaker of one dependency in one lane: closed, open, half-open.

    closed ── failures reach the rate ──> open ── cool-down over ──> half-open
      ▲                                     ▲                            │
      └──────────── probes succeed ─────────│──── probes fail ───────────┘

While it is open the lane's event source mapping is disabled: messages wait in the queue without using up
their receives. Each time the probes fail, the next cool-down is twice as long.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
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
    """Calls of one dependency in one time bucket that began `at`."""

    at: datetime
    calls: int
    failures: int


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a breaker opens and closes.

    window            time in which calls are counted
    min_calls         calls below which the failure rate is ignored
    max_failure_rate  failures / calls at which it opens, 0 to 1
    probes            calls that decide while it is half-open
    """

    window: timedelta = timedelta(minutes=2)
    min_calls: int = 20
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
    match breaker.state:
        case "closed":
            return _opened(breaker, now) if policy.should_trip(calls, failures) else breaker
        case "open":
            has_cooled_down = now - breaker.since >= policy.cool_down(breaker.openings)
            return replace(breaker, state="half-open", since=now) if has_cooled_down else breaker
        case "half-open":
            if _exceeds_failure_rate(calls, failures, policy.probes, policy.max_failure_rate):
                return _opened(breaker, now)
            return closed_breaker(now) if calls >= policy.probes else breaker


def combined_state(breakers: Sequence[CircuitBreaker]) -> BreakerState:
    """The state of a lane with these breakers: any open one stops it, any half-open one limits it."""
    states = {breaker.state for breaker in breakers}
    return "open" if "open" in states else "half-open" if "half-open" in states else "closed"


def _exceeds_failure_rate(calls: float, failures: float, min_calls: int, max_failure_rate: float) -> bool:
    return calls >= min_calls and failures >= max_failure_rate * calls


def _opened(breaker: CircuitBreaker, now: datetime) -> CircuitBreaker:
    return CircuitBreaker("open", now, breaker.openings + 1)
