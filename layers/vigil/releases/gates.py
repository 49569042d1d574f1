"""What a candidate has shown beside the active release becomes promote, reject with reasons, or wait."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from vigil.inference.card import TomlReader, load_toml
from vigil.statistics import Interval, wilson_interval

DEFAULT_GATES_FILE = Path(__file__).with_name("gates.toml")


@dataclass(frozen=True, slots=True)
class RolloutGate:
    """What one stage asks for; shares are 0 to 1.

    share  of the drops that take part in the stage
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
    """What both releases did on the same drops, and on the reviewed set.

    agreed         drops on which both said the same, of `drops`
    latency_ms     95th percentile
    metric         of the candidate on the reviewed set
    gain           the candidate's metric less the active one's on the same items (measures.gain)
    waited         since the stage began
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
    """Every gate is passed; with which figures."""

    figures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reject:
    """At least one gate is surely missed, or patience ended."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Not enough is known yet."""

    pending: tuple[str, ...]


GateDecision = Promote | Reject | Wait


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One gate: surely passed, surely missed, or neither yet; `text` says with which figures."""

    text: str
    passed: bool
    failed: bool


def evaluate_gates(evidence: RolloutEvidence, gate: RolloutGate) -> GateDecision:
    """Weigh what was shown. Errors alone may reject before there are drops enough: harm does not wait."""
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


def parse_gates(table: TomlReader) -> Mapping[str, RolloutGate]:
    """The gate of each stage in a table. Raises BadCard."""
    return {stage: _parse_gate(table, stage) for stage in table.values}


def default_gates() -> Mapping[str, RolloutGate]:
    return parse_gates(load_toml(DEFAULT_GATES_FILE))


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
    """Judged once there are drops enough: a percentile of few is chance."""
    ratio = (
        evidence.latency_ms / evidence.latency_ms_active if evidence.latency_ms_active > 0 else float("nan")
    )
    good = ratio <= gate.max_latency_ratio or evidence.latency_ms <= gate.latency_target_ms
    slow = evidence.drops >= gate.min_drops and not good
    return GateCheck(f"latency ratio {ratio:.2f}, allowed {gate.max_latency_ratio:.2f}", good, slow)


def _check_agreement(evidence: RolloutEvidence, gate: RolloutGate) -> GateCheck:
    """A candidate that is surely better may disagree as it likes: the active release is what is wrong."""
    agreed, better = wilson_interval(evidence.agreed, evidence.drops), evidence.gain.low > 0
    check = _check_minimum(
        f"agreement {_format_interval(agreed)}, wanted {gate.min_agreement:.3f}", agreed, gate.min_agreement
    )
    return replace(check, passed=check.passed or better, failed=check.failed and not better)


def _check_minimum(text: str, interval: Interval, minimum: float) -> GateCheck:
    return GateCheck(text, interval.low >= minimum, interval.high < minimum)


def _format_interval(interval: Interval) -> str:
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def _parse_gate(table: TomlReader, stage: str) -> RolloutGate:
    return RolloutGate(
        share=table.get_float(f"{stage}.share"),
        min_drops=table.get_int(f"{stage}.min_drops"),
        timeout=timedelta(hours=table.get_float(f"{stage}.timeout_h")),
        max_error_rate_increase=table.get_float(f"{stage}.max_error_rate_increase"),
        max_latency_ratio=table.get_float(f"{stage}.max_latency_ratio"),
        latency_target_ms=table.get_float(f"{stage}.latency_target_ms"),
        min_agreement=table.get_float(f"{stage}.min_agreement"),
        max_metric_loss=table.get_float(f"{stage}.max_metric_loss"),
        min_metric=table.get_float(f"{stage}.min_metric"),
    )
