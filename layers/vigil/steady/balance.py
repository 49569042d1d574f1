"""How many workers each lane may have: live what it needs to be on time, bulk all that is left.

A controller that runs once a minute. Live rises at once, to what the traffic and the backlog ask for
(Little's law, with headroom); it falls slowly, and only after calm minutes, so that it does not swing.
Throttles mean that the account has less than we thought: the whole budget then shrinks, and grows back.
"""

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Signals:
    """One lane as it was during the last minute.

    age_s      of the oldest message
    backlog    messages that wait, now
    arrived_per_s, service_s    messages a second, and seconds that a worker spends on one
    throttles  invocations that Lambda refused
    """

    age_s: float
    backlog: int
    arrived_per_s: float
    service_s: float
    throttles: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """Workers by lane (MaximumConcurrency), out of a budget; calm minutes since live last was in need."""

    live: int
    bulk: int
    budget: int
    calm: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the controller may do.

    total         workers of both lanes together
    live_least, bulk_least    what a lane keeps in any case; Lambda takes no fewer than 2
    age_target_s  of the oldest live message
    drain_s       a backlog is to be gone in so many seconds
    headroom      workers beyond the bare need
    calm_minutes  before live gives anything back
    fall          the most that live gives back in a minute, of what it has
    """

    total: int
    live_least: int = 4
    bulk_least: int = 2
    age_target_s: float = 30.0
    drain_s: float = 60.0
    headroom: float = 1.4
    calm_minutes: int = 5
    fall: float = 0.25

    def start(self) -> Share:
        """Before anything is known: bulk as little as can be."""
        return Share(self.total - self.bulk_least, self.bulk_least, self.total)


def balance(share: Share, live: Signals, bulk: Signals, bounds: Bounds) -> Share:
    """The next minute's share."""
    budget = _budget(share, live.throttles + bulk.throttles, bounds)
    need = _need(share, live, bounds)
    in_need = need >= share.live or live.age_s > bounds.age_target_s / 2
    calm = 0 if in_need else share.calm + 1
    wanted = max(need, share.live) if in_need else _lower(share.live, need, calm, bounds)
    workers = max(bounds.live_least, min(wanted, budget - bounds.bulk_least))
    return Share(workers, budget - workers, budget, calm)


def strained(share: Share, live: Signals, bounds: Bounds) -> bool:
    """Live has all that there is, and what arrives now will be late nevertheless: time for degradation.

    How old the oldest is says what was: a crowd that its workers have nearly dealt with costs no quality.
    """
    will_be_late = live.backlog * live.service_s > bounds.age_target_s * share.live
    return share.live >= share.budget - bounds.bulk_least and will_be_late


def limited(share: Share, workers: int) -> Share:
    """The share with live held to a breaker's probation; what live cannot use is not given to bulk."""
    return replace(share, live=min(share.live, workers))


def _need(share: Share, live: Signals, bounds: Bounds) -> int:
    """Workers for the traffic and the backlog; where live is late all the same, half as many again."""
    asked = bounds.headroom * live.service_s * (live.arrived_per_s + live.backlog / bounds.drain_s)
    late = live.age_s > bounds.age_target_s and live.backlog > 0
    return max(math.ceil(asked), math.ceil(share.live * 1.5) if late else 0)


def _lower(workers: int, need: int, calm: int, bounds: Bounds) -> int:
    """A step down, once it has been calm for long enough and the step is worth taking."""
    if calm < bounds.calm_minutes or need > workers * (1 - bounds.fall):
        return workers
    return max(need, math.floor(workers * (1 - bounds.fall)))


def _budget(share: Share, throttles: int, bounds: Bounds) -> int:
    """Down by a sixth where Lambda refused, else back up by a twentieth."""
    if throttles:
        return max(bounds.live_least + bounds.bulk_least, share.budget * 5 // 6)
    return min(bounds.total, share.budget + max(1, bounds.total // 20))
