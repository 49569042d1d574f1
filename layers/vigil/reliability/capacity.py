"""Divides the workers between the lanes: live gets what it needs to be on time, bulk gets the rest.

The live lane is raised at once to what traffic and backlog require (Little's law, with headroom). It is
lowered slowly and only after calm minutes, to avoid oscillation. Throttles mean that the account has fewer
workers than the budget: the budget then shrinks and grows back step by step.
"""

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class LaneLoad:
    """One lane during the last minute.

    age_s          age of the oldest message
    backlog        messages that are waiting now
    arrived_per_s  messages per second
    service_s      seconds that a worker spends on one message
    throttles      invocations that Lambda refused
    """

    age_s: float
    backlog: int
    arrived_per_s: float
    service_s: float
    throttles: int = 0


@dataclass(frozen=True, slots=True)
class WorkerAllocation:
    """Workers by lane (MaximumConcurrency), their budget, and the minutes since live last needed more."""

    live: int
    bulk: int
    budget: int
    calm_minutes: int = 0


@dataclass(frozen=True, slots=True)
class CapacityLimits:
    """Limits of the allocation.

    total         workers of both lanes together
    live_min, bulk_min    workers that a lane always has; Lambda accepts no fewer than 2
    age_target_s  target age of the oldest live message
    drain_s       time in which a backlog is to be processed
    headroom      factor on the required workers
    calm_minutes  minutes without need before live is lowered
    max_decrease  largest share of its workers by which live is lowered in a minute
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
        """Before the first measurement: bulk has its minimum."""
        return WorkerAllocation(self.total - self.bulk_min, self.bulk_min, self.total)


def allocate_workers(
    allocation: WorkerAllocation, live: LaneLoad, bulk: LaneLoad, limits: CapacityLimits
) -> WorkerAllocation:
    """The allocation for the next minute."""
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
    """Whether live has every worker and new messages will be late nevertheless.

    The age of the oldest message is not used: it describes a peak that may be almost processed.
    """
    will_be_late = live.backlog * live.service_s > limits.age_target_s * allocation.live
    return allocation.live >= allocation.budget - limits.bulk_min and will_be_late


def capped(allocation: WorkerAllocation, max_workers: int) -> WorkerAllocation:
    """The allocation with live limited while a breaker is half-open; bulk does not get the difference."""
    return replace(allocation, live=min(allocation.live, max_workers))


def _required_workers(allocation: WorkerAllocation, live: LaneLoad, limits: CapacityLimits) -> int:
    """Workers for traffic and backlog; half as many again if live is late."""
    required = limits.headroom * live.service_s * (live.arrived_per_s + live.backlog / limits.drain_s)
    is_late = live.age_s > limits.age_target_s and live.backlog > 0
    return max(math.ceil(required), math.ceil(allocation.live * 1.5) if is_late else 0)


def _decreased(workers: int, required: int, calm_minutes: int, limits: CapacityLimits) -> int:
    """One step down after enough calm minutes, if the difference is large enough."""
    if calm_minutes < limits.calm_minutes or required > workers * (1 - limits.max_decrease):
        return workers
    return max(required, math.floor(workers * (1 - limits.max_decrease)))


def _next_budget(allocation: WorkerAllocation, throttles: int, limits: CapacityLimits) -> int:
    """Lowered by a sixth after throttles, else raised by a twentieth of the total."""
    if throttles:
        return max(limits.live_min + limits.bulk_min, allocation.budget * 5 // 6)
    return min(limits.total, allocation.budget + max(1, limits.total // 20))
