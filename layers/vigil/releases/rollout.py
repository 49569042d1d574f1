"""Advances a model's releases by at most one step: by gates, by the active release's health or by order."""

from collections.abc import (
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import quantiles
from typing import Protocol

from vigil.releases.gates import (
    GateDecision,
    Promote,
    Reject,
    RolloutEvidence,
    RolloutGate,
    evaluate_gates,
)
from vigil.releases.health import MIN_SAMPLES, ExpectedHealth, HealthCounts, latest
from vigil.releases.lifecycle import (
    IllegalTransition,
    ReleasePointers,
    ReleaseState,
    RolloutStep,
    advance,
    promote_candidate,
    remove_candidate,
    restore_previous,
    start_canary,
    start_shadow,
)
from vigil.releases.shadow import ShadowComparison
from vigil.statistics import Interval, wilson_interval

HEALTH_WINDOW = timedelta(hours=1)
"""Older samples are ignored."""

PROBATION_PERIOD = timedelta(days=1)
"""Time in which a change is attributed to the new release; later the inputs may have changed instead."""

MIN_FAILED_DROPS = 3
MAX_FAILED_SHARE = 0.01
"""The share of drops on which a release may fail."""

MAX_SLOW_SHARE = 0.5
MAX_UNRECOGNISED_INCREASE = 0.25


def rollback_reason(health: HealthCounts, expected: ExpectedHealth | None, *, active_for: timedelta) -> str:
    """Why the active release must be rolled back, with confidence; "" if it need not be."""
    if (
        health.failed_drops >= MIN_FAILED_DROPS
        and wilson_interval(health.failed_drops, health.failed_drops + health.samples).low > MAX_FAILED_SHARE
    ):
        return f"failed on {health.failed_drops} drops"
    if expected is None or health.samples < MIN_SAMPLES or active_for > PROBATION_PERIOD:
        return ""
    slow, unrecognised = (
        wilson_interval(health.slow, health.samples),
        wilson_interval(health.unrecognised, health.samples),
    )
    if slow.low > MAX_SLOW_SHARE:
        return f"slow on {health.slow} of {health.samples} drops; {expected.latency_ms:.0f} ms in canary"
    if unrecognised.low > expected.unrecognised_share + MAX_UNRECOGNISED_INCREASE:
        canary_share = f"in canary {expected.unrecognised_share:.0%}"
        return f"recognised nothing in {unrecognised.value:.0%} of {health.samples} drops, {canary_share}"
    return ""


def health_since(active_since: datetime, now: datetime) -> datetime:
    """The time from which samples count."""
    return max(active_since, now - HEALTH_WINDOW)


MAX_CANARY_FAILURES = 3
"""A canary is rolled back after failing on this many drops that the active release completed."""


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """A release's state and its metric on the test split.

    gain  over the release that was active then; None if there was none
    """

    state: ReleaseState
    metric: Interval
    gain: Interval | None = None


@dataclass(frozen=True, slots=True)
class ModelReleases:
    """All releases of a model as read; `revision` guards the pointers."""

    model: str
    pointers: ReleasePointers
    revision: int
    records: tuple[ReleaseRecord, ...]

    def find(self, release: str | None) -> ReleaseRecord | None:
        return next((one for one in self.records if one.state.release == release), None)


@dataclass(frozen=True, slots=True)
class RolloutChange:
    """The new pointers and every state that changes with them."""

    pointers: ReleasePointers
    states: tuple[ReleaseState, ...]


def decide_step(
    releases: ModelReleases,
    comparisons: Sequence[ShadowComparison],
    gates: Mapping[str, RolloutGate],
    now: datetime,
    *,
    health: HealthCounts = HealthCounts(),  # noqa: B008 - frozen
    is_ready: Callable[[str], bool] = lambda _: True,
) -> RolloutChange | None:
    """One step, or None. Rolling back a bad active release comes first.

    comparisons  of the candidate in its stage
    health       of the active release
    is_ready     whether a registered release has everything that it needs for shadow
    """
    active, candidate = releases.find(releases.pointers.active), releases.find(releases.pointers.candidate)
    if active is not None and releases.pointers.previous is not None:
        reason = rollback_reason(health, releases.pointers.expected, active_for=now - active.state.since)
        if reason:
            return rollback(releases, now, reason)
    if candidate is not None:
        return _advance_candidate(releases, candidate, comparisons, gates, now)
    waiting = sorted(
        (one for one in releases.records if one.state.stage == "registered" and is_ready(one.state.release)),
        key=_registered_since,
    )
    return _start_next(releases, waiting[0], gates, now) if waiting else None


def rollback(releases: ModelReleases, now: datetime, reason: str) -> RolloutChange | None:
    """Restore the previous release; None if there is none. A candidate is rejected with it."""
    pointers = releases.pointers
    if pointers.previous is None:
        return None
    states = [_transition(releases, pointers.active, "roll-back", now, reason)]
    states.append(_transition(releases, pointers.previous, "restore", now, reason))
    states.append(
        _transition(releases, pointers.candidate, "reject", now, "the active release was rolled back")
    )
    return RolloutChange(restore_previous(pointers), tuple(state for state in states if state is not None))


def rollout_evidence(
    record: ReleaseRecord, comparisons: Sequence[ShadowComparison], now: datetime
) -> RolloutEvidence:
    """The evidence of a candidate in its stage so far."""
    return RolloutEvidence(
        drops=len(comparisons),
        errors=sum(comparison.failed for comparison in comparisons),
        errors_active=sum(trial.failed_active for trial in comparisons),
        agreed=sum(trial.agreed for trial in comparisons),
        latency_ms=_percentile_95([trial.latency_ms for trial in comparisons if not trial.failed]),
        latency_ms_active=_percentile_95(
            [trial.latency_ms_active for trial in comparisons if not trial.failed_active]
        ),
        metric=record.metric,
        gain=record.gain or Interval(0.0, 0.0, 0.0, 0),
        stage_duration=now - record.state.since,
    )


def _start_next(
    releases: ModelReleases, record: ReleaseRecord, gates: Mapping[str, RolloutGate], now: datetime
) -> RolloutChange:
    """Start shadow; for the first release of a model the test split alone decides."""
    state = advance(record.state, "shadow", now=now)
    if releases.pointers.active is not None:
        return RolloutChange(start_shadow(releases.pointers, state.release, gates["shadow"].share), (state,))
    min_metric = gates["shadow"].min_metric
    if record.metric.low < min_metric:
        reason = f"metric at least {record.metric.low:.3f}, required {min_metric:.3f}"
        return RolloutChange(releases.pointers, (advance(state, "reject", now=now, reasons=(reason,)),))
    first = ("first release of the model",)
    state = advance(advance(state, "pass", now=now, reasons=first), "pass", now=now, reasons=first)
    return RolloutChange(replace(releases.pointers, active=state.release), (state,))


def _advance_candidate(
    releases: ModelReleases,
    record: ReleaseRecord,
    comparisons: Sequence[ShadowComparison],
    gates: Mapping[str, RolloutGate],
    now: datetime,
) -> RolloutChange | None:
    state, gate = record.state, gates[record.state.stage]
    match _evaluate_candidate(record, comparisons, gate, now):
        case Reject(reasons) if state.stage == "canary":
            return RolloutChange(
                remove_candidate(releases.pointers), (advance(state, "roll-back", now=now, reasons=reasons),)
            )
        case Reject(reasons):
            return RolloutChange(
                remove_candidate(releases.pointers), (advance(state, "reject", now=now, reasons=reasons),)
            )
        case Promote(figures) if state.stage == "shadow":
            advanced = advance(state, "pass", now=now, reasons=figures)
            return RolloutChange(start_canary(releases.pointers, gates["canary"].share), (advanced,))
        case Promote(figures):
            previous = _transition(releases, releases.pointers.active, "replace", now, f"by {state.release}")
            states = (advance(state, "pass", now=now, reasons=figures), *((previous,) if previous else ()))
            return RolloutChange(promote_candidate(releases.pointers, _expected_health(comparisons)), states)
    return None


def _evaluate_candidate(
    record: ReleaseRecord, comparisons: Sequence[ShadowComparison], gate: RolloutGate, now: datetime
) -> GateDecision:
    """Reject a canary at once after a few failures of its own; else check the gates."""
    failures = sum(comparison.failed and not comparison.failed_active for comparison in comparisons)
    failure_rate_low = wilson_interval(failures, len(comparisons)).low if comparisons else 0.0
    if (
        record.state.stage == "canary"
        and failures >= MAX_CANARY_FAILURES
        and failure_rate_low > gate.max_error_rate_increase
    ):
        return Reject(
            (f"failed on {failures} of {len(comparisons)} drops that the active release completed",)
        )
    return evaluate_gates(rollout_evidence(record, comparisons, now), gate)


def _expected_health(comparisons: Sequence[ShadowComparison]) -> ExpectedHealth:
    """The health of a canary that is promoted."""
    succeeded = [trial for trial in comparisons if not trial.failed]
    unrecognised = sum(trial.nothing_recognised for trial in succeeded) / max(len(succeeded), 1)
    return ExpectedHealth(_percentile_95([trial.latency_ms for trial in succeeded]), unrecognised)


def _transition(
    releases: ModelReleases, release: str | None, step: RolloutStep, now: datetime, reason: str
) -> ReleaseState | None:
    """A release's state one step on; None for a bundled release, which has no record."""
    record = releases.find(release)
    return advance(record.state, step, now=now, reasons=(reason,)) if record else None


def _percentile_95(times_ms: list[float]) -> float:
    """Interpolated; the value itself if there is only one."""
    return quantiles(times_ms, n=20, method="inclusive")[-1] if len(times_ms) > 1 else sum(times_ms)


def _registered_since(record: ReleaseRecord) -> datetime:
    return record.state.since


def force_promote(releases: ModelReleases, release: str, *, now: datetime, reason: str) -> RolloutChange:
    """Make the candidate active, whatever its evidence. Raises IllegalTransition."""
    state = _require_candidate(releases, release).state
    while state.stage != "active":
        state = advance(state, "pass", now=now, reasons=(reason,))
    previous = releases.find(releases.pointers.active)
    states = (
        (state,)
        if previous is None
        else (state, advance(previous.state, "replace", now=now, reasons=(reason,)))
    )
    return RolloutChange(promote_candidate(releases.pointers), states)


def force_reject(releases: ModelReleases, release: str, *, now: datetime, reason: str) -> RolloutChange:
    """Reject the candidate or a registered release. Raises IllegalTransition."""
    record = releases.find(release)
    if record is not None and record.state.stage == "registered":
        return RolloutChange(
            releases.pointers, (advance(record.state, "reject", now=now, reasons=(reason,)),)
        )
    state = _require_candidate(releases, release).state
    return RolloutChange(remove_candidate(releases.pointers), (_candidate_removed(state, now, reason),))


def _require_candidate(releases: ModelReleases, release: str) -> ReleaseRecord:
    record = releases.find(release)
    if record is None or release != releases.pointers.candidate:
        raise IllegalTransition(f"{release} of {releases.model} is not the candidate")
    return record


def _candidate_removed(state: ReleaseState, now: datetime, reason: str) -> ReleaseState:
    """A canary is rolled back, a release in shadow is rejected."""
    return advance(state, "roll-back" if state.stage == "canary" else "reject", now=now, reasons=(reason,))


class ReleaseRepository(Protocol):
    """Stores release states and pointers. Raises Transient."""

    def read_releases(self, model: str) -> ModelReleases:
        """All releases of a model."""

    def save_change(self, releases: ModelReleases, change: RolloutChange) -> None:
        """Save pointers and states in one transaction. Raises ConcurrentUpdate."""


class ComparisonRepository(Protocol):
    def comparisons_since(self, model: str, release: str, since: datetime) -> Sequence[ShadowComparison]:
        """The comparisons of a release since a time. Raises Transient."""


class HealthRepository(Protocol):
    def latest_counts(self, model: str, release: str, since: datetime) -> Iterable[HealthCounts]:
        """Counts of short intervals, the newest first. Raises Transient."""


def advance_rollout(
    model: str,
    repository: ReleaseRepository,
    comparisons: ComparisonRepository,
    health: HealthRepository,
    gates: Mapping[str, RolloutGate],
    *,
    now: datetime,
    is_ready: Callable[[str], bool] = lambda _: True,
) -> tuple[ReleaseState, ...]:
    """Take the next step if one is due; returns the changed states. A release that is not ready waits."""
    releases = repository.read_releases(model)
    candidate_comparisons = _candidate_comparisons(releases, comparisons)
    health_counts = _active_health(releases, candidate_comparisons, comparisons, health, now=now)
    change = decide_step(releases, candidate_comparisons, gates, now, health=health_counts, is_ready=is_ready)
    return _apply_change(repository, releases, change)


def roll_back_release(
    model: str, repository: ReleaseRepository, *, now: datetime, reason: str
) -> tuple[ReleaseState, ...]:
    """Restore the previous release by order; no change if there is none."""
    releases = repository.read_releases(model)
    return _apply_change(repository, releases, rollback(releases, now, reason))


def promote_release(
    model: str, release: str, repository: ReleaseRepository, *, now: datetime, reason: str
) -> tuple[ReleaseState, ...]:
    """Promote the candidate by order. Raises IllegalTransition."""
    releases = repository.read_releases(model)
    return _apply_change(repository, releases, force_promote(releases, release, now=now, reason=reason))


def reject_release(
    model: str, release: str, repository: ReleaseRepository, *, now: datetime, reason: str
) -> tuple[ReleaseState, ...]:
    """Reject a release by order. Raises IllegalTransition."""
    releases = repository.read_releases(model)
    return _apply_change(repository, releases, force_reject(releases, release, now=now, reason=reason))


def _apply_change(
    repository: ReleaseRepository, releases: ModelReleases, change: RolloutChange | None
) -> tuple[ReleaseState, ...]:
    if change is None:
        return ()
    repository.save_change(releases, change)
    return change.states


def _candidate_comparisons(
    releases: ModelReleases, comparisons: ComparisonRepository
) -> Sequence[ShadowComparison]:
    record = releases.find(releases.pointers.candidate)
    return (
        comparisons.comparisons_since(releases.model, record.state.release, record.state.since)
        if record
        else ()
    )


def _active_health(
    releases: ModelReleases,
    candidate_comparisons: Sequence[ShadowComparison],
    comparisons: ComparisonRepository,
    health: HealthRepository,
    *,
    now: datetime,
) -> HealthCounts:
    """Counts of the active release, also from comparisons; empty if there is no previous release."""
    record = releases.find(releases.pointers.active)
    if record is None or releases.pointers.previous is None:
        return HealthCounts()
    since = health_since(record.state.since, now)
    failed_drops = {
        trial.drop_id
        for trial in comparisons.comparisons_since(releases.model, record.state.release, since)
        if trial.failed
    }
    failed_drops |= {trial.drop_id for trial in candidate_comparisons if trial.failed_active}
    return replace(
        latest(health.latest_counts(releases.model, record.state.release, since)),
        failed_drops=len(failed_drops),
    )
