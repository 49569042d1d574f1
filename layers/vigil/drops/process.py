"""Processes one drop: claim it, read the input, run the model, evaluate the rules, save the result."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from msgspec import structs

from vigil.alerts.alert import Alert
from vigil.alerts.evaluate import evaluate_rules
from vigil.alerts.rules import SEVERITIES, RuleSet
from vigil.drops.ledger import AlreadyCompleted, Lease, LeaseHeld, Ledger, ProcessingResult
from vigil.drops.messages import CANARY_CHECK_SOURCE, CANARY_SOURCE, Drop, InvalidMessage, S3Object
from vigil.drops.prediction import (
    InputReader,
    PredictionFailed,
    ReleaseAssignment,
    ReleaseOutputs,
    ReleaseRouter,
    ReleaseRun,
    StageTimer,
    read_input,
    run_releases,
)
from vigil.errors import (
    BrokenRelease,
    ConcurrentUpdate,
    DamagedRelease,
    NoDependencyFailed,
    Rejected,
    Transient,
    failed_dependency,
)
from vigil.inference.types import Option, Prediction
from vigil.reliability.degradation import (
    DEGRADED_NOTE,
    BurstTracker,
    DegradationStep,
    DegradedOptions,
    apply_steps,
)

MAX_SAVE_ATTEMPTS = 5

MIN_LEASE_SHARE = 0.5
"""The share of a lease that must remain of the invocation when a drop begins: a drop that is killed because
its batch took too long would look like an input that kills workers."""

OMITTED_ALERTS_NOTE = "alerts_omitted"
"""The note of a drop with the number of alerts that it did not raise."""


@dataclass(frozen=True, slots=True)
class ProcessingPorts:
    """The ports of processing.

    rules, degradation_steps  what is in force; a change is noticed within seconds
    canary_digest             SHA-256 of the canary's known photograph, in hexadecimal
    bursts                    lives as long as the Lambda container
    """

    ledger: Ledger
    objects: InputReader
    router: ReleaseRouter
    rules: Callable[[], RuleSet]
    clock: Callable[[], datetime]
    degradation_steps: Callable[[], Sequence[DegradationStep]] = lambda: ()
    bursts: BurstTracker = field(default_factory=BurstTracker)
    canary_digest: str = ""


@dataclass(frozen=True, slots=True)
class Invocation:
    """One Lambda invocation: its id, when the runtime ends it, and the duration of a lease."""

    owner: str
    ends_at: datetime
    lease: timedelta


@dataclass(frozen=True, slots=True)
class DropResult:
    """How one delivery of a drop ended, with what logs and metrics need.

    prediction, outputs  None for a duplicate, a rejected drop, and a frame that was skipped
    """

    drop: str
    outcome: Literal["done", "rejected", "duplicate"]
    attempt: int
    release: str = ""
    reason: str = ""
    sightings: int = 0
    alerts: int = 0
    times_ms: Mapping[str, float] | None = None
    prediction: Prediction | None = None
    outputs: ReleaseOutputs | None = None


class DropInProgress(NoDependencyFailed):
    """Another worker holds the drop; its lease ends at `until`."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"held by another worker until {until.isoformat()}")
        self.until = until


class InsufficientTime(NoDependencyFailed):
    """Too little of the invocation remains to begin another drop."""


def process_drop(drop: Drop | InvalidMessage, ports: ProcessingPorts, invocation: Invocation) -> DropResult:
    """Bring one drop to its final state, at most once.

    Raises DropInProgress, InsufficientTime, PredictionFailed, DamagedRelease, Transient, or a bug's error.
    Then the ledger has stage and error, the lease is released, and the queue delivers the drop again.
    """
    claim = _claim_drop(drop, ports, invocation)
    if isinstance(claim, AlreadyCompleted):
        return DropResult(drop.id, "duplicate", attempt=0)
    with _HeldLease(claim, ports, invocation) as lease:
        try:
            if isinstance(drop, InvalidMessage):
                raise drop.rejection
            assignment, rules = ports.router.assign(drop), ports.rules()
            drop = _with_version(drop, ports)
            run, prediction = _predict(drop, assignment, rules, ports=ports, lease=lease)
            if run is not None and _is_canary_photo(drop, run.data, ports.canary_digest):
                rules, prediction = structs.replace(rules, rules=()), replace(prediction, rules=())
            alerts = _evaluate_and_save(drop, prediction, rules, ports=ports, lease=lease)
            result = lease.result("done", alerts=len(alerts), sightings=len(prediction.sightings))
            if run is None:
                return result
            return replace(result, prediction=prediction, outputs=run.with_shadow())
        except Rejected as rejection:
            if isinstance(drop, Drop):
                ports.bursts.forget_unreadable(drop)
            lease.reject(rejection)
            return lease.result("rejected", reason=rejection.reason)


def select_alerts(alerts: Sequence[Alert], capacity: int, drop: str) -> tuple[Alert, ...]:
    """The most severe alerts, at most `capacity`; among equals the drop's id decides.

    So the frames of a crowd raise different alerts.
    """
    if len(alerts) <= capacity:
        return tuple(alerts)
    offset = int(drop, 16) % len(alerts)
    rotated = [*alerts[offset:], *alerts[:offset]]
    by_severity = sorted(rotated, key=lambda one: SEVERITIES.index(one.severity), reverse=True)
    return tuple(by_severity[:capacity])


def with_omitted_count(prediction: Prediction, omitted: int) -> Mapping[str, Option]:
    """The prediction's notes, with the number of omitted alerts if there are any."""
    return {**prediction.notes, OMITTED_ALERTS_NOTE: omitted} if omitted else prediction.notes


def _claim_drop(
    drop: Drop | InvalidMessage, ports: ProcessingPorts, invocation: Invocation
) -> Lease | AlreadyCompleted:
    now = ports.clock()
    if invocation.ends_at - now < invocation.lease * MIN_LEASE_SHARE:
        raise InsufficientTime(f"begin {drop.id}: the invocation ends at {invocation.ends_at.isoformat()}")
    claim = ports.ledger.claim(drop, owner=invocation.owner, now=now, until=_lease_end(invocation, now))
    if isinstance(claim, LeaseHeld):
        raise DropInProgress(claim.until)
    return claim


def _with_version(drop: Drop, ports: ProcessingPorts) -> Drop:
    """The drop with the version of its object that is read, which the ledger stores as the evidence.

    A job may name an object without a version: overwriting the object must not change what a drop shows.
    """
    if not isinstance(drop.payload, S3Object):
        return drop
    return replace(drop, payload=ports.objects.with_version(drop.payload))


def _predict(
    drop: Drop,
    assignment: ReleaseAssignment,
    rules: RuleSet,
    *,
    ports: ProcessingPorts,
    lease: "_HeldLease",
) -> tuple[ReleaseRun | None, Prediction]:
    """The run and the prediction; a skipped frame of a burst is not even read."""
    lease.release = assignment.primary.release
    degraded = apply_steps(
        drop,
        rules.source_settings(drop.source).model_options,
        ports.degradation_steps(),
        is_first_of_burst=ports.bursts.is_first_of_burst(drop),
    )
    if degraded.is_skipped:
        return None, _with_degradation(Prediction((), found=0), degraded)
    lease.stages("read")
    data = read_input(drop.payload, assignment.primary, ports.objects)
    run = run_releases(assignment, data, degraded.options, lease.stages)
    lease.release = run.release
    return run, _with_degradation(run.prediction, degraded)


def _is_canary_photo(drop: Drop, data: bytes, canary_digest: str) -> bool:
    """Whether the drop is a canary probe; the name of its source alone exempts no picture from the rules."""
    is_probe = drop.source in (CANARY_SOURCE, CANARY_CHECK_SOURCE)
    return is_probe and hashlib.sha256(data).hexdigest() == canary_digest


def _with_degradation(prediction: Prediction, degraded: DegradedOptions) -> Prediction:
    """The prediction with a note of the degradation steps."""
    if not degraded.steps:
        return prediction
    return replace(prediction, notes={**prediction.notes, DEGRADED_NOTE: ",".join(degraded.steps)})


def _evaluate_and_save(
    drop: Drop, prediction: Prediction, rules: RuleSet, *, ports: ProcessingPorts, lease: "_HeldLease"
) -> tuple[Alert, ...]:
    """Evaluate and save; repeated when another drop changed the same unknown subjects in between."""
    for tries_left in reversed(range(MAX_SAVE_ATTEMPTS)):
        lease.stages("evaluate")
        found, unknown_subjects = evaluate_rules(prediction, drop, rules, ports.ledger.unknown_subjects)
        unsuppressed = [one for one in found if not ports.ledger.is_suppressed(one, now=ports.clock())]
        alerts = select_alerts(unsuppressed, ports.ledger.alert_capacity(prediction), drop.id)
        notes = with_omitted_count(prediction, len(unsuppressed) - len(alerts))
        lease.stages("save")
        result = ProcessingResult(
            replace(prediction, notes=notes),
            lease.release,
            alerts,
            unknown_subjects,
            lease.stages.durations_ms(),
            rules.source_settings(drop.source).store_unknown_faces,
        )
        try:
            ports.ledger.save_result(lease.claim, drop, result, now=ports.clock())
        except ConcurrentUpdate:
            if not tries_left:
                raise
        else:
            break
    return alerts


def _lease_end(invocation: Invocation, now: datetime) -> datetime:
    return min(now + invocation.lease, invocation.ends_at)


class _HeldLease:
    """A lease that is renewed while stages pass, and released when one fails.

    A first attempt renews it only when half of it is gone. A later attempt records every stage, so that the
    ledger shows where an input kills its worker again.
    """

    def __init__(self, claim: Lease, ports: ProcessingPorts, invocation: Invocation) -> None:
        self.claim, self.stages, self.release = claim, StageTimer(self._on_stage), ""
        self._ports, self._invocation = ports, invocation

    def __enter__(self) -> "_HeldLease":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._ports.ledger.release_lease(
                self.claim,
                stage=self.stages.current,
                error=f"{_error_kind(error)}: {error}"[:500],
                dependency=failed_dependency(error),
                now=self._ports.clock(),
                release=error.release if isinstance(error, DamagedRelease) else self.release,
            )

    def result(
        self,
        outcome: Literal["done", "rejected"],
        *,
        reason: str = "",
        sightings: int = 0,
        alerts: int = 0,
    ) -> DropResult:
        release = self.release if outcome == "done" else ""
        return DropResult(
            self.claim.drop_id,
            outcome,
            self.claim.attempt,
            release=release,
            reason=reason,
            sightings=sightings,
            alerts=alerts,
            times_ms=self.stages.durations_ms(),
        )

    def reject(self, rejection: Rejected) -> None:
        self._ports.ledger.reject(
            self.claim,
            reason=rejection.reason,
            message=str(rejection),
            stage=self.stages.current,
            now=self._ports.clock(),
        )

    def _on_stage(self, stage: str) -> None:
        now = self._ports.clock()
        if self.claim.attempt > 1 or self.claim.until - now < self._invocation.lease / 2:
            until = _lease_end(self._invocation, now)
            self.claim = self._ports.ledger.renew(self.claim, stage=stage, until=until)


def _error_kind(error: BaseException) -> str:
    """The name under which the ledger records a failure: that of its family, if it has one."""
    if isinstance(error, Transient):
        return Transient.__name__
    return BrokenRelease.__name__ if isinstance(error, PredictionFailed) else type(error).__name__
