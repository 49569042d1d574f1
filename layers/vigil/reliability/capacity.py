"""How many workers each lane may have: live what it needs to be on time, bulk all that is left.

A controller that runs once a minute. Live rises at once, to what the traffic and the backlog ask for
(Little's law, with headroom); it falls slowly, and only after calm minutes, so that it does not swing.
Throttles mean that the account has less than we thought: the whole budget then shrinks, and grows back.
"""

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class LaneLoad:
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
class WorkerAllocation:
    """Workers by lane (MaximumConcurrency), out of a budget; calm minutes since live last was in need."""

    live: int
    bulk: int
    budget: int
    calm_minutes: int = 0


@dataclass(frozen=True, slots=True)
class CapacityLimits:
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
    live_min: int = 4
    bulk_min: int = 2
    age_target_s: float = 30.0
    drain_s: float = 60.0
    headroom: float = 1.4
    calm_minutes: int = 5
    max_decrease: float = 0.25

    def initial_allocation(self) -> WorkerAllocation:
        """Before anything is known: bulk as little as can be."""
        return WorkerAllocation(self.total - self.bulk_min, self.bulk_min, self.total)


def allocate_workers(
    allocation: WorkerAllocation, live: LaneLoad, bulk: LaneLoad, limits: CapacityLimits
) -> WorkerAllocation:
    """The next minute's share."""
    budget = _next_budget(allocation, live.throttles + bulk.throttles, limits)
    required = _required_workers(allocation, live, limits)
    is_in_need = required >= allocation.live or live.age_s > limits.age_target_s / 2
    calm_minutes = 0 if is_in_need else allocation.calm_minutes + 1
    target = (
        max(required, allocation.live)
        if is_in_need
        else _decreased(allocation.live, required, calm_minutes, limits)
    )
    workers = max(limits.live_min, min(target, budget - limits.bulk_min))
    return WorkerAllocation(workers, budget - workers, budget, calm_minutes)


def is_overloaded(allocation: WorkerAllocation, live: LaneLoad, limits: CapacityLimits) -> bool:
    """Live has all that there is, and what arrives now will be late nevertheless: time for degradation.

    How old the oldest is says what was: a crowd that its workers have nearly dealt with costs no quality.
    """
    will_be_late = live.backlog * live.service_s > limits.age_target_s * allocation.live
    return allocation.live >= allocation.budget - limits.bulk_min and will_be_late


def capped(allocation: WorkerAllocation, max_workers: int) -> WorkerAllocation:
    """The share with live held to a breaker's probation; what live cannot use is not given to bulk."""
    return replace(allocation, live=min(allocation.live, max_workers))


def _required_workers(allocation: WorkerAllocation, live: LaneLoad, limits: CapacityLimits) -> int:
    """Workers for the traffic and the backlog; where live is late all the same, half as many again."""
    required = limits.headroom * live.service_s * (live.arrived_per_s + live.backlog / limits.drain_s)
    is_late = live.age_s > limits.age_target_s and live.backlog > 0
    return max(math.ceil(required), math.ceil(allocation.live * 1.5) if is_late else 0)


def _decreased(workers: int, required: int, calm_minutes: int, limits: CapacityLimits) -> int:
    """A step down, once it has been calm for long enough and the step is worth taking."""
    if calm_minutes < limits.calm_minutes or required > workers * (1 - limits.max_decrease):
        return workers
    return max(required, math.floor(workers * (1 - limits.max_decrease)))


def _next_budget(allocation: WorkerAllocation, throttles: int, limits: CapacityLimits) -> int:
    """Down by a sixth where Lambda refused, else back up by a twentieth."""
    if throttles:
        return max(limits.live_min + limits.bulk_min, allocation.budget * 5 // 6)
    return min(limits.total, allocation.budget + max(1, limits.total // 20))
