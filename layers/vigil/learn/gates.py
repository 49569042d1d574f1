"""What a candidate has shown beside the active release becomes promote, reject with reasons, or wait."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from vigil.learn.interval import Interval, wilson
from vigil.predict.table import Table, read

DEFAULT = Path(__file__).with_name("gates.toml")


@dataclass(frozen=True, slots=True)
class Gate:
    """What one stage asks for; shares are 0 to 1.

    share  of the drops that take part in the stage
    """

    share: float
    drops: int
    patience: timedelta
    error_rate_rise: float
    latency_ratio: float
    latency_free_ms: float
    agreement: float
    metric_loss: float
    metric_floor: float


@dataclass(frozen=True, slots=True)
class Shown:
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
    waited: timedelta


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

    wanting: tuple[str, ...]


Verdict = Promote | Reject | Wait


@dataclass(frozen=True, slots=True)
class Check:
    """One gate: surely passed, surely missed, or neither yet; `text` says with which figures."""

    text: str
    passed: bool
    missed: bool


def judge(shown: Shown, gate: Gate) -> Verdict:
    """Weigh what was shown. Errors alone may reject before there are drops enough: harm does not wait."""
    checks = tuple(_checks(shown, gate))
    if missed := tuple(check.text for check in checks if check.missed):
        return Reject(missed)
    wanting = tuple(check.text for check in checks if not check.passed)
    if shown.drops < gate.drops:
        wanting = (f"{shown.drops} of {gate.drops} drops", *wanting)
    if not wanting:
        return Promote(tuple(check.text for check in checks))
    if shown.waited >= gate.patience:
        return Reject(tuple(f"undecided after {gate.patience}: {text}" for text in wanting))
    return Wait(wanting)


def gates(table: Table) -> Mapping[str, Gate]:
    """The gate of each stage in a table. Raises BadCard."""
    return {stage: _gate(table, stage) for stage in table.values}


def default_gates() -> Mapping[str, Gate]:
    return gates(read(DEFAULT))


def _checks(shown: Shown, gate: Gate) -> Iterable[Check]:
    errors = wilson(shown.errors, shown.drops)
    allowed = shown.errors_active / max(shown.drops, 1) + gate.error_rate_rise
    yield Check(
        f"error rate {_told(errors)}, allowed {allowed:.3f}", errors.value <= allowed, errors.low > allowed
    )
    yield _latency(shown, gate)
    yield _agreement(shown, gate)
    yield _at_least(
        f"gain {_told(shown.gain)}, allowed loss {gate.metric_loss:.3f}", shown.gain, -gate.metric_loss
    )
    yield _at_least(
        f"metric {_told(shown.metric)}, wanted {gate.metric_floor:.3f}", shown.metric, gate.metric_floor
    )


def _latency(shown: Shown, gate: Gate) -> Check:
    """Judged once there are drops enough: a percentile of few is chance."""
    ratio = shown.latency_ms / shown.latency_ms_active if shown.latency_ms_active > 0 else float("nan")
    good = ratio <= gate.latency_ratio or shown.latency_ms <= gate.latency_free_ms
    slow = shown.drops >= gate.drops and not good
    return Check(f"latency ratio {ratio:.2f}, allowed {gate.latency_ratio:.2f}", good, slow)


def _agreement(shown: Shown, gate: Gate) -> Check:
    """A candidate that is surely better may disagree as it likes: the active release is what is wrong."""
    agreed, better = wilson(shown.agreed, shown.drops), shown.gain.low > 0
    check = _at_least(f"agreement {_told(agreed)}, wanted {gate.agreement:.3f}", agreed, gate.agreement)
    return replace(check, passed=check.passed or better, missed=check.missed and not better)


def _at_least(text: str, shown: Interval, wanted: float) -> Check:
    return Check(text, shown.low >= wanted, shown.high < wanted)


def _told(shown: Interval) -> str:
    return f"{shown.value:.3f} ({shown.low:.3f} to {shown.high:.3f})"


def _gate(table: Table, stage: str) -> Gate:
    return Gate(
        share=table.number(f"{stage}.share"),
        drops=table.whole(f"{stage}.drops"),
        patience=timedelta(hours=table.number(f"{stage}.patience_h")),
        error_rate_rise=table.number(f"{stage}.error_rate_rise"),
        latency_ratio=table.number(f"{stage}.latency_ratio"),
        latency_free_ms=table.number(f"{stage}.latency_free_ms"),
        agreement=table.number(f"{stage}.agreement"),
        metric_loss=table.number(f"{stage}.metric_loss"),
        metric_floor=table.number(f"{stage}.metric_floor"),
    )
