"""Where a drop is and how long each stage took: for metrics, for locating faults, for keeping its lease."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Literal

from vigil.alerts.alert import Alert
from vigil.alerts.evaluate import evaluate_rules
from vigil.alerts.rules import SEVERITIES, RuleSet
from vigil.drops.ledger import AlreadyCompleted, Lease, LeaseHeld, Ledger, ProcessingResult
from vigil.drops.messages import Drop, InlinePayload, InvalidMessage
from vigil.drops.ports import (
    ActiveDegradation,
    ActiveRules,
    Clock,
    InputReader,
    PredictionObserver,
    ignore_prediction,
    no_degradation,
)
from vigil.errors import (
    ConcurrentUpdate,
    DamagedRelease,
    NoDependencyFailed,
    ObjectTooLarge,
    Rejected,
    Transient,
    WrongType,
    failed_dependency,
)
from vigil.inference.types import Model, Models, Option, Prediction
from vigil.people.consent import person_ids_in
from vigil.releases.shadow import (
    ComparedRun,
    ReleaseRouter,
    SingleReleaseRouter,
    record_comparison,
    run_primary,
)
from vigil.reliability.degradation import DEGRADED_NOTE, BurstTracker, DegradedOptions, apply_steps


@dataclass(slots=True)
class StageTimer:
    """Marks stages as they begin. `entered` hears of each; what it raises stops the drop there."""

    on_stage: Callable[[str], None]
    current: str = "claim"
    times_ms: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.perf_counter)

    def __call__(self, stage: str) -> None:
        self._stop_current()
        self.current = stage
        self.on_stage(stage)

    def durations_ms(self) -> dict[str, float]:
        """Milliseconds by stage, the present one included."""
        self._stop_current()
        return {stage: round(ms, 2) for stage, ms in self.times_ms.items()}

    def _stop_current(self) -> None:
        now = time.perf_counter()
        self.times_ms[self.current] = self.times_ms.get(self.current, 0.0) + (now - self._since) * 1000
        self._since = now


# MERGED: A crowd in one photo: of all alerts, as many as are kept at once with it, the most severe first.

MAX_TRANSACTION_ITEMS = 100
"""What DynamoDB writes or checks in one transaction."""

RESERVED_ITEMS = 3
"""Of it, the drop's end, and the strangers of a window with their place in a list."""

OMITTED_ALERTS_NOTE = "alerts_omitted"
"""Under which a drop's notes say how many alerts it did not raise."""


def alert_capacity(prediction: Prediction) -> int:
    """Alerts that fit beside a scene's sightings and the check that nobody in it is being erased."""
    people = person_ids_in(one.label for one in prediction.sightings)
    return max(0, MAX_TRANSACTION_ITEMS - RESERVED_ITEMS - len(prediction.sightings) - len(people))


def select_alerts(alerts: Sequence[Alert], prediction: Prediction, drop: str) -> tuple[Alert, ...]:
    """As many as there is room for. Among equals the drop's id decides: another frame raises others."""
    if len(alerts) <= alert_capacity(prediction):
        return tuple(alerts)
    offset = int(drop, 16) % len(alerts)
    rotated = [*alerts[offset:], *alerts[:offset]]
    return tuple(
        sorted(rotated, key=lambda one: SEVERITIES.index(one.severity), reverse=True)[
            : alert_capacity(prediction)
        ]
    )


def with_omitted_count(prediction: Prediction, omitted: int) -> Mapping[str, Option]:
    """The scene's notes, which say so where alerts were left out."""
    return {**prediction.notes, OMITTED_ALERTS_NOTE: omitted} if omitted else prediction.notes


# MERGED: The way of one drop: claim, read, look, judge, keep; whatever happens, the ledger knows.

MAX_SAVE_ATTEMPTS = 5

MIN_LEASE_SHARE = 0.5
"""A drop is begun with this share of a lease before it: killed with its worker when the time of a batch is
up, it would look like an input that kills workers."""


@dataclass(frozen=True, slots=True)
class ProcessingPorts:
    """The ports that processing needs.

    notice  is told what a release saw in a drop, once that is kept
    bursts  remembers, as long as the container lives, where bursts began
    """

    ledger: Ledger
    objects: InputReader
    models: Models
    rules: ActiveRules
    clock: Clock
    degradation_steps: ActiveDegradation = no_degradation
    router: ReleaseRouter = field(default_factory=SingleReleaseRouter)
    record_output: PredictionObserver = ignore_prediction
    bursts: BurstTracker = field(default_factory=BurstTracker)


@dataclass(frozen=True, slots=True)
class Invocation:
    """One invocation: its name, when the runtime will end it, and how long a lease it takes at once."""

    owner: str
    ends_at: datetime
    lease: timedelta


@dataclass(frozen=True, slots=True)
class DropResult:
    """How one delivery of a drop ended, for logs and metrics."""

    drop: str
    outcome: Literal["done", "rejected", "duplicate"]
    attempt: int
    release: str = ""
    reason: str = ""
    sightings: int = 0
    alerts: int = 0
    times_ms: dict[str, float] | None = None


class DropInProgress(NoDependencyFailed):
    """Another worker holds the drop; `until` says when its lease ends."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"held by another worker until {until.isoformat()}")
        self.until = until


class InsufficientTime(NoDependencyFailed):
    """Too little of the invocation is left to begin another drop."""


def process_drop(drop: Drop | InvalidMessage, ports: ProcessingPorts, invocation: Invocation) -> DropResult:
    """Bring one drop to its end, at most once.

    Raises Busy, Hurried, Transient, or whatever bug there is: the ledger then holds the stage and the error,
    the lease is let go, and the queue delivers again.
    """
    now = ports.clock()
    if invocation.ends_at - now < invocation.lease * MIN_LEASE_SHARE:
        raise InsufficientTime(f"begin {drop.id}: the invocation ends at {invocation.ends_at.isoformat()}")
    claim = ports.ledger.claim(drop, owner=invocation.owner, now=now, until=_lease_end(invocation, now))
    match claim:
        case AlreadyCompleted(_):
            return DropResult(drop.id, "duplicate", attempt=0)
        case LeaseHeld(until):
            raise DropInProgress(until)
    with _Lease(claim, ports, invocation) as lease:
        return _process_claimed(drop, ports, lease)


def _process_claimed(drop: Drop | InvalidMessage, ports: ProcessingPorts, lease: "_Lease") -> DropResult:
    """Done, or rejected with the input's fault as the reason."""
    try:
        if isinstance(drop, InvalidMessage):
            raise drop.rejection
        return _predict_and_save(drop, ports, lease)
    except Rejected as fault:
        if isinstance(drop, Drop):
            ports.bursts.forget_unreadable(drop)
        ports.ledger.reject(
            lease.claim,
            reason=fault.reason,
            message=str(fault),
            stage=lease.stages.current,
            now=ports.clock(),
        )
        times = lease.stages.durations_ms()
        return DropResult(drop.id, "rejected", lease.claim.attempt, reason=fault.reason, times_ms=times)


def _predict_and_save(drop: Drop, ports: ProcessingPorts, lease: "_Lease") -> DropResult:
    """What is seen is judged and kept; only then is another release compared.

    A frame that is left out of a burst is not even read.
    """
    assignment, rule_set, stages = ports.router.assign(drop, ports.models), ports.rules(), lease.stages
    lease.release = assignment.primary.release
    options = rule_set.source_settings(drop.source).options
    degraded = apply_steps(
        drop, options, ports.degradation_steps(), is_first_of_burst=ports.bursts.is_first_of_burst(drop)
    )
    run, prediction = None, Prediction((), found=0)
    if not degraded.is_skipped:
        stages("read")
        data = _read_input(drop, assignment.primary, ports.objects)
        run = ComparedRun(assignment, drop, data, degraded.options)
        lease.release, prediction = run_primary(ports.router, run, stages)
    prediction = _with_degradation(prediction, degraded)
    alerts = _evaluate_and_save(drop, prediction, lease.release, rule_set, ports=ports, lease=lease)
    ports.record_output(drop, lease.release, prediction)
    times = stages.durations_ms()
    if run is not None:
        record_comparison(ports.router, run)
    return DropResult(
        drop.id,
        "done",
        lease.claim.attempt,
        release=lease.release,
        sightings=len(prediction.sightings),
        alerts=len(alerts),
        times_ms=times,
    )


def _with_degradation(prediction: Prediction, degraded: DegradedOptions) -> Prediction:
    """The scene, saying what was given up for it."""
    if not degraded.steps:
        return prediction
    return replace(prediction, notes={**prediction.notes, DEGRADED_NOTE: ",".join(degraded.steps)})


def _evaluate_and_save(
    drop: Drop,
    prediction: Prediction,
    release: str,
    rule_set: RuleSet,
    *,
    ports: ProcessingPorts,
    lease: "_Lease",
) -> tuple[Alert, ...]:
    """Judge and keep; judge anew where another drop told of the same strangers in between."""
    for tries_left in reversed(range(MAX_SAVE_ATTEMPTS)):
        lease.stages("evaluate")
        alerts, unknown_subjects = evaluate_rules(prediction, drop, rule_set, ports.ledger.unknown_subjects)
        unsuppressed = [alert for alert in alerts if not ports.ledger.is_suppressed(alert, now=ports.clock())]
        alerts = select_alerts(unsuppressed, prediction, drop.id)
        annotated = replace(prediction, notes=with_omitted_count(prediction, len(unsuppressed) - len(alerts)))
        lease.stages("save")
        store_faces = rule_set.source_settings(drop.source).store_unknown_faces
        result = ProcessingResult(
            annotated, release, alerts, unknown_subjects, lease.stages.durations_ms(), store_faces
        )
        try:
            ports.ledger.save_result(lease.claim, drop, result, now=ports.clock())
        except ConcurrentUpdate:
            if not tries_left:
                raise
        else:
            break
    return alerts


def _read_input(drop: Drop, model: Model, objects: InputReader) -> bytes:
    if isinstance(drop.payload, InlinePayload):
        if len(drop.payload.data) > model.max_bytes:
            raise ObjectTooLarge(f"{len(drop.payload.data)} bytes, {model.name} takes {model.max_bytes}")
        return drop.payload.data
    suffix = PurePosixPath(drop.payload.key).suffix.lower()
    if suffix and suffix not in model.suffixes:
        raise WrongType(f"{model.name} reads {', '.join(sorted(model.suffixes))}, not {suffix}")
    return objects.fetch(drop.payload, model.max_bytes)


def _lease_end(invocation: Invocation, now: datetime) -> datetime:
    return min(now + invocation.lease, invocation.ends_at)


class _Lease:
    """A claim that is kept alive while stages pass, and let go when they fail.

    A first attempt renews only when half its lease is gone. A later one notes every stage, so
    that if the input kills its worker again, the ledger says where.
    """

    def __init__(self, claim: Lease, ports: ProcessingPorts, invocation: Invocation) -> None:
        self.claim, self.stages, self.release = claim, StageTimer(self._on_stage), ""
        self._ports, self._invocation = ports, invocation

    def __enter__(self) -> "_Lease":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None:
            family = Transient if isinstance(error, Transient) else type(error)
            message = f"{family.__name__}: {error}"[:500]
            self._ports.ledger.release_lease(
                self.claim,
                stage=self.stages.current,
                error=message,
                dependency=failed_dependency(error),
                now=self._ports.clock(),
                release=error.release if isinstance(error, DamagedRelease) else self.release,
            )

    def _on_stage(self, stage: str) -> None:
        now = self._ports.clock()
        if self.claim.attempt > 1 or self.claim.until - now < self._invocation.lease / 2:
            until = _lease_end(self._invocation, now)
            self.claim = self._ports.ledger.renew(self.claim, stage=stage, until=until)
