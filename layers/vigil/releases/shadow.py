"""What one release showed on one drop, beside another."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from vigil.drops.messages import Drop
from vigil.errors import (
    BrokenRelease,
    Rejected,
    Transient,
    VigilError,
)
from vigil.inference.types import (
    Model,
    Models,
    Option,
    Prediction,
    StageCallback,
)
from vigil.releases.health import HealthSample


@dataclass(frozen=True, slots=True)
class ShadowComparison:
    """Of the release on trial; of the active one alone, only that it failed.

    agreed   both said the same
    ms       of the release on trial; `ms_other` of the one beside it
    unsure   the release on trial knew nothing in the drop
    """

    model: str
    release: str
    drop_id: str
    agreed: bool
    failed: bool
    failed_active: bool
    latency_ms: float
    latency_ms_active: float
    nothing_recognised: bool = False


# MERGED: One drop before two releases: who answers, who stands beside, and what both made of it.


@dataclass(frozen=True, slots=True)
class ReleaseAssignment:
    """Who works on a drop.

    beside  looks as well: the candidate in shadow, the active release behind a candidate that answers
    tried   the release on trial; "" where there is none
    """

    primary: Model
    secondary: Model | None = None
    candidate: str = ""


class ReleaseRouter(Protocol):
    """Which releases see a drop, and where what they showed is kept."""

    def assign(self, drop: Drop, models: Models) -> ReleaseAssignment:
        """Who answers. Raises UnknownModel; never fails for want of a release or its pointer."""

    def save_comparison(self, comparison: ShadowComparison) -> None:
        """Note it. Raises Transient."""

    def record_health(self, sample: HealthSample) -> None:
        """Count what the active release showed; never fails."""


class SingleReleaseRouter:
    """Port Trials, where every model has one release."""

    def assign(self, drop: Drop, models: Models) -> ReleaseAssignment:
        return ReleaseAssignment(models.get(drop.model))

    def save_comparison(self, comparison: ShadowComparison) -> None:
        """Nobody asks."""

    def record_health(self, sample: HealthSample) -> None:
        """Nobody asks."""


@dataclass(frozen=True, slots=True)
class ReleaseOutput:
    """What one release made of a drop; without a scene, it broke or would not read it."""

    release: str
    latency_ms: float
    prediction: Prediction | None
    error: str = ""


class ComparedRun:
    """One drop, looked at by its cast: first for the answer, then, once that is kept, for comparison."""

    def __init__(
        self, assignment: ReleaseAssignment, drop: Drop, data: bytes, options: Mapping[str, Option]
    ) -> None:
        self._assignment, self._drop, self._data, self._options = assignment, drop, data, options
        self._primary: ReleaseOutput | None = None
        self._secondary: ReleaseOutput | None = None

    def predict(self, on_stage: StageCallback) -> tuple[str, Prediction]:
        """Which release answers, and what. A candidate that breaks is answered for by the active release.

        Raises Rejected for the input's fault, BrokenRelease where nobody can answer.
        """
        self._primary = _run_model(self._assignment.primary, self._data, self._options, on_stage)
        if self._primary.prediction is not None:
            return self._primary.release, self._primary.prediction
        if self._assignment.secondary is None or self._primary.release != self._assignment.candidate:
            raise BrokenRelease(self._primary.error)
        self._secondary = _run_model(self._assignment.secondary, self._data, self._options, on_stage)
        if self._secondary.prediction is None:
            raise BrokenRelease(self._secondary.error)
        return self._secondary.release, self._secondary.prediction

    def comparison(self) -> ShadowComparison | None:
        """What the two showed; None where one release looked and did well."""
        if self._primary is None or (
            self._assignment.secondary is None and self._primary.prediction is not None
        ):
            return None
        if self._assignment.secondary is not None and self._secondary is None:
            self._secondary = _run_for_comparison(self._assignment.secondary, self._data, self._options)
        return self._compare(self._primary, self._secondary or ReleaseOutput("", 0.0, None))

    def health_sample(self) -> HealthSample | None:
        """How the active release did; None where it did not look for the answer."""
        output = self._primary
        if output is None or output.release == self._assignment.candidate:
            return None
        return HealthSample(
            self._drop.model,
            output.release,
            output.latency_ms,
            failed=output.prediction is None,
            nothing_recognised=_nothing_recognised(output),
        )

    def _compare(self, primary: ReleaseOutput, secondary: ReleaseOutput) -> ShadowComparison:
        candidate, active = (
            (secondary, primary)
            if secondary.release == self._assignment.candidate != ""
            else (primary, secondary)
        )
        return ShadowComparison(
            model=self._drop.model,
            release=candidate.release,
            drop_id=self._drop.id,
            agreed=_same_subjects(candidate, active),
            failed=candidate.prediction is None,
            failed_active=active.prediction is None,
            latency_ms=candidate.latency_ms,
            latency_ms_active=active.latency_ms,
            nothing_recognised=_nothing_recognised(candidate),
        )


def run_primary(router: ReleaseRouter, run: ComparedRun, on_stage: StageCallback) -> tuple[str, Prediction]:
    """As Performance.scene; that nobody could answer is noted too."""
    try:
        return run.predict(on_stage)
    except BrokenRelease:
        record_comparison(router, run)
        raise


def record_comparison(router: ReleaseRouter, run: ComparedRun) -> None:
    """Note what was shown; what cannot be noted now is not counted: no drop fails for it."""
    sample, comparison = run.health_sample(), run.comparison()
    if sample is not None:
        router.record_health(sample)
    try:
        if comparison is not None:
            router.save_comparison(comparison)
    except Transient:
        return


def _run_model(
    model: Model, data: bytes, options: Mapping[str, Option], on_stage: StageCallback
) -> ReleaseOutput:
    began = time.perf_counter()
    try:
        prediction = model.predict(data, options, on_stage)
    except BrokenRelease as fault:
        return ReleaseOutput(model.release, _elapsed_ms(began), None, str(fault))
    return ReleaseOutput(model.release, _elapsed_ms(began), prediction)


def _run_for_comparison(model: Model, data: bytes, options: Mapping[str, Option]) -> ReleaseOutput:
    """As it looks for comparison: whatever it says, the drop has its answer."""
    try:
        return _run_model(model, data, options, _ignore_stage)
    except VigilError as fault:
        reason = fault.reason if isinstance(fault, Rejected) else str(fault)
        return ReleaseOutput(model.release, 0.0, None, reason)


def _nothing_recognised(output: ReleaseOutput) -> bool:
    """Whether it saw nothing that it knows."""
    return output.prediction is not None and all(one.status != "known" for one in output.prediction.sightings)


def _same_subjects(first: ReleaseOutput, second: ReleaseOutput) -> bool:
    """The same subjects, in whatever order."""
    if first.prediction is None or second.prediction is None:
        return False
    labels = [
        sorted(sighting.label for sighting in output.prediction.sightings)
        for output in (first, second)
        if output.prediction
    ]
    return labels[0] == labels[1]


def _elapsed_ms(began: float) -> float:
    return (time.perf_counter() - began) * 1000


def _ignore_stage(_: str) -> None:
    """The drop has its end: no lease is renewed any more."""
