"""Decides from the evidence of a stage whether a candidate is promoted, rejected with reasons, or waits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from vigil.statistics import Interval, wilson_interval
from vigil.toml_file import load_toml


@dataclass(frozen=True, slots=True)
class RolloutGate:
    """The limits of one stage; shares are 0 to 1.

    share    the share of drops that take part in the stage
    timeout  time after which an undecided candidate is rejected
    """

    share: float
    min_drops: int
    timeout: timedelta
    max_error_rate_increase: float
    max_latency_ratio: float
    latency_target_ms: float
    min_agreement: float
    max_metric_loss: float
    min_metric: float


@dataclass(frozen=True, slots=True)
class RolloutEvidence:
    """The results of both releases on the same drops and on the test split.

    agreed          drops with the same result of both, of `drops`
    latency_ms      95th percentile
    metric          of the candidate on the test split
    gain            the candidate's metric less the active release's on the same items
    stage_duration  since the stage began
    """

    drops: int
    errors: int
    errors_active: int
    agreed: int
    latency_ms: float
    latency_ms_active: float
    metric: Interval
    gain: Interval
    stage_duration: timedelta


@dataclass(frozen=True, slots=True)
class Promote:
    """Every gate is passed."""

    figures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reject:
    """At least one gate is failed with confidence, or the timeout has passed."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """The evidence is not sufficient yet."""

    pending: tuple[str, ...]


GateDecision = Promote | Reject | Wait


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One gate: passed, failed, or undecided (neither); `text` has the figures."""

    text: str
    passed: bool
    failed: bool


def evaluate_gates(evidence: RolloutEvidence, gate: RolloutGate) -> GateDecision:
    """Check every gate. A failed gate rejects at once; promotion needs the minimum number of drops."""
    checks = tuple(_checks(evidence, gate))
    if failed := tuple(check.text for check in checks if check.failed):
        return Reject(failed)
    pending = tuple(check.text for check in checks if not check.passed)
    if evidence.drops < gate.min_drops:
        pending = (f"{evidence.drops} of {gate.min_drops} drops", *pending)
    if not pending:
        return Promote(tuple(check.text for check in checks))
    if evidence.stage_duration >= gate.timeout:
        return Reject(tuple(f"undecided after {gate.timeout}: {text}" for text in pending))
    return Wait(pending)


def default_gates() -> Mapping[str, RolloutGate]:
    """The gate of each stage in gates.toml."""
    return load_toml(Path(__file__).with_name("gates.toml")).convert(dict[str, RolloutGate])


def _checks(evidence: RolloutEvidence, gate: RolloutGate) -> Iterable[GateCheck]:
    errors = wilson_interval(evidence.errors, evidence.drops)
    allowed = evidence.errors_active / max(evidence.drops, 1) + gate.max_error_rate_increase
    yield GateCheck(
        f"error rate {_format_interval(errors)}, allowed {allowed:.3f}",
        errors.value <= allowed,
        errors.low > allowed,
    )
    yield _check_latency(evidence, gate)
    yield _check_agreement(evidence, gate)
    yield _check_minimum(
        f"gain {_format_interval(evidence.gain)}, allowed loss {gate.max_metric_loss:.3f}",
        evidence.gain,
        -gate.max_metric_loss,
    )
    yield _check_minimum(
        f"metric {_format_interval(evidence.metric)}, wanted {gate.min_metric:.3f}",
        evidence.metric,
        gate.min_metric,
    )


def _check_latency(evidence: RolloutEvidence, gate: RolloutGate) -> GateCheck:
    """Fails only after the minimum number of drops: a percentile of few drops is chance."""
    ratio = (
        evidence.latency_ms / evidence.latency_ms_active if evidence.latency_ms_active > 0 else float("nan")
    )
    good = ratio <= gate.max_latency_ratio or evidence.latency_ms <= gate.latency_target_ms
    slow = evidence.drops >= gate.min_drops and not good
    return GateCheck(f"latency ratio {ratio:.2f}, allowed {gate.max_latency_ratio:.2f}", good, slow)


def _check_agreement(evidence: RolloutEvidence, gate: RolloutGate) -> GateCheck:
    """A candidate that is better with confidence need not agree with the active release."""
    agreed, better = wilson_interval(evidence.agreed, evidence.drops), evidence.gain.low > 0
    check = _check_minimum(
        f"agreement {_format_interval(agreed)}, wanted {gate.min_agreement:.3f}", agreed, gate.min_agreement
    )
    return replace(check, passed=check.passed or better, failed=check.failed and not better)


def _check_minimum(text: str, interval: Interval, minimum: float) -> GateCheck:
    return GateCheck(text, interval.low >= minimum, interval.high < minimum)


def _format_interval(interval: Interval) -> str:
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"
