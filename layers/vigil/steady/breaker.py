"""Whether a lane may go on while a dependency fails: closed, open, half-open.

    closed ── failures reach the rate ──> open ── cool-down over ──> half-open
      ▲                                     ▲                            │
      └──────────── probes succeed ─────────│──── probes fail ───────────┘

Open, the lane's mapping is off: messages wait in the queue, unseen and uncounted, instead of using up
their receives. Each time that probes fail, the next cool-down is twice as long.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

State = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True)
class Breaker:
    """One dependency's, in one lane. `trips` counts openings since it last closed."""

    state: State
    since: datetime
    trips: int = 0


@dataclass(frozen=True, slots=True)
class Tally:
    """Calls of one dependency in one short stretch of time that began `at`."""

    at: datetime
    calls: int
    failures: int


@dataclass(frozen=True, slots=True)
class Fuse:
    """When it opens, and how it closes again.

    window   that tallies count for
    calls    fewer than these say nothing
    rate     failures / calls, 0 to 1
    probes   calls that decide while it is half-open
    """

    window: timedelta = timedelta(minutes=2)
    calls: int = 20
    rate: float = 0.5
    probes: int = 4
    cool_down: timedelta = timedelta(seconds=60)
    longest: timedelta = timedelta(minutes=15)

    def blows(self, calls: float, failures: float) -> bool:
        """Whether so many failures of so many calls are too many."""
        return _fails(calls, failures, self.calls, self.rate)

    def rests(self, trips: int) -> timedelta:
        """The cool-down after so many openings in a row, from 1."""
        return min(self.cool_down * (1 << min(max(trips - 1, 0), 20)), self.longest)


def closed(now: datetime) -> Breaker:
    """As every breaker begins."""
    return Breaker("closed", now)


def step(breaker: Breaker, tallies: Iterable[Tally], fuse: Fuse, *, now: datetime) -> Breaker:
    """The breaker after what was counted since its last change, at most one change a step."""
    begin = max(breaker.since, now - fuse.window) if breaker.state == "closed" else breaker.since
    counted = [tally for tally in tallies if tally.at >= begin]
    calls, failures = sum(one.calls for one in counted), sum(one.failures for one in counted)
    match breaker.state:
        case "closed":
            return _trip(breaker, now) if fuse.blows(calls, failures) else breaker
        case "open":
            over = now - breaker.since >= fuse.rests(breaker.trips)
            return replace(breaker, state="half-open", since=now) if over else breaker
        case "half-open":
            if _fails(calls, failures, fuse.probes, fuse.rate):
                return _trip(breaker, now)
            return closed(now) if calls >= fuse.probes else breaker


def worst(breakers: Sequence[Breaker]) -> State:
    """What a lane with these breakers may do: one open dependency stops it, one on probation slows it."""
    states = {breaker.state for breaker in breakers}
    return "open" if "open" in states else "half-open" if "half-open" in states else "closed"


def _fails(calls: float, failures: float, least: int, rate: float) -> bool:
    return calls >= least and failures >= rate * calls


def _trip(breaker: Breaker, now: datetime) -> Breaker:
    return Breaker("open", now, breaker.trips + 1)
