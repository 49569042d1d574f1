"""A minute's decisions: breakers, workers, degradation, from what was counted in the lanes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from vigil.steady.balance import Bounds, Share, Signals, balance, limited, strained
from vigil.steady.breaker import Breaker, Fuse, State, Tally, closed, step, worst
from vigil.steady.counted import Counted
from vigil.steady.degrade import Relief, Tempo, relieve

LANES = ("live", "bulk")
PROBING = 2
"""Workers of a lane on probation: the fewest that Lambda takes."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One lane as it is: lately counted, waiting now, refused by Lambda, and CloudWatch's oldest age."""

    counted: Sequence[Counted]
    backlog: int
    throttles: int = 0
    age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Steady:
    """What is remembered from minute to minute; breakers by (lane, dependency)."""

    at: datetime
    share: Share
    relief: Relief
    breakers: Mapping[tuple[str, str], Breaker] = field(default_factory=dict)
    backlogs: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Order:
    """What a lane's event source mapping is to be."""

    enabled: bool
    workers: int


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that can be set."""

    bounds: Bounds
    steps: int
    fuse: Fuse = field(default_factory=Fuse)
    tempo: Tempo = field(default_factory=Tempo)


def begin(bounds: Bounds, now: datetime) -> Steady:
    """Before anything is known."""
    return Steady(now, bounds.start(), Relief(0, now))


def minute(steady: Steady, lanes: Mapping[str, Seen], rules: Rules, *, now: datetime) -> Steady:
    """The next state. Breakers first: a lane that stands still says nothing about the workers it needs."""
    breakers = _breakers(steady, lanes, rules.fuse, now)
    live, bulk = (_signals(lane, lanes[lane], steady, now) for lane in LANES)
    share = balance(steady.share, live, bulk, rules.bounds)
    relief = relieve(
        steady.relief,
        is_strained=state_of("live", breakers) == "closed" and strained(share, live, rules.bounds),
        is_calm=share.calm >= rules.bounds.calm_minutes,
        most=rules.steps,
        now=now,
        tempo=rules.tempo,
    )
    return Steady(now, share, relief, breakers, {lane: lanes[lane].backlog for lane in LANES})


def orders(steady: Steady) -> dict[str, Order]:
    """What follows for each lane's mapping."""
    states = {lane: state_of(lane, steady.breakers) for lane in LANES}
    share = limited(steady.share, PROBING) if states["live"] == "half-open" else steady.share
    bulk = PROBING if states["bulk"] == "half-open" else share.bulk
    return {
        "live": Order(states["live"] != "open", share.live),
        "bulk": Order(states["bulk"] != "open", bulk),
    }


def state_of(lane: str, breakers: Mapping[tuple[str, str], Breaker]) -> State:
    """The worst of a lane's breakers."""
    return worst([breaker for (where, _), breaker in breakers.items() if where == lane])


def healthy(steady: Steady, dependency: str) -> bool:
    """Whether no lane's breaker is open for it."""
    return all(one.state != "open" for (_, name), one in steady.breakers.items() if name == dependency)


def _breakers(
    steady: Steady, lanes: Mapping[str, Seen], fuse: Fuse, now: datetime
) -> dict[tuple[str, str], Breaker]:
    """Those there are and those that failures ask for, a step on."""
    failing = {(lane, name) for lane in LANES for one in lanes[lane].counted for name in one.failures}
    return {
        (lane, name): step(
            steady.breakers.get((lane, name), replace(closed(now), since=now - fuse.window)),
            [Tally(one.at, one.calls, one.failures.get(name, 0)) for one in lanes[lane].counted],
            fuse,
            now=now,
        )
        for lane, name in sorted(failing | set(steady.breakers))
    }


def _signals(lane: str, seen: Seen, steady: Steady, now: datetime) -> Signals:
    """What arrived is what was done and what the backlog grew by."""
    elapsed_s = max(1.0, (now - steady.at).total_seconds())
    recent = [one for one in seen.counted if one.at >= steady.at]
    calls = sum(one.calls for one in recent)
    grown = seen.backlog - steady.backlogs.get(lane, seen.backlog)
    every = sum(one.calls for one in seen.counted)
    service_s = sum(one.seconds for one in seen.counted) / every if every else 1.0
    age_s = max([seen.age_s, *(one.age_s for one in recent)])
    return Signals(age_s, seen.backlog, max(0.0, (calls + grown) / elapsed_s), service_s, seen.throttles)
