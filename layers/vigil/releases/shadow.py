"""Runs a drop on the assigned release and, for comparison, on a second one; records how they differ."""

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
    """A candidate and the active release on one drop.

    release             the candidate
    agreed              both have the same subjects
    nothing_recognised  by the candidate
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


@dataclass(frozen=True, slots=True)
class ReleaseAssignment:
    """The releases for a drop.

    primary    its result is used
    secondary  runs for comparison: the candidate in shadow, or the active release behind a canary
    candidate  the candidate's id; "" if there is none
    """

    primary: Model
    secondary: Model | None = None
    candidate: str = ""


class ReleaseRouter(Protocol):
    """Assigns releases to drops and stores comparisons and health samples."""

    def assign(self, drop: Drop, models: Models) -> ReleaseAssignment:
        """Raises UnknownModel; never fails because a release or its pointers are unavailable."""

    def save_comparison(self, comparison: ShadowComparison) -> None:
        """Raises Transient."""

    def record_health(self, sample: HealthSample) -> None:
        """Never fails."""


class SingleReleaseRouter:
    """Port ReleaseRouter for models with one release."""

    def assign(self, drop: Drop, models: Models) -> ReleaseAssignment:
        return ReleaseAssignment(models.get(drop.model))

    def save_comparison(self, comparison: ShadowComparison) -> None:
        """Nothing is compared or counted."""

    def record_health(self, sample: HealthSample) -> None:
        """Nothing is compared or counted."""


@dataclass(frozen=True, slots=True)
class ReleaseOutput:
    """The output of one release for a drop; without a prediction it failed or rejected the input."""

    release: str
    latency_ms: float
    prediction: Prediction | None
    error: str = ""


class ComparedRun:
    """One drop on its assigned releases: first for the result, then, after it is stored, for comparison."""

    def __init__(
        self, assignment: ReleaseAssignment, drop: Drop, data: bytes, options: Mapping[str, Option]
    ) -> None:
        self._assignment, self._drop, self._data, self._options = assignment, drop, data, options
        self._primary: ReleaseOutput | None = None
        self._secondary: ReleaseOutput | None = None

    def predict(self, on_stage: StageCallback) -> tuple[str, Prediction]:
        """The release whose result is used, and its prediction; the active release replaces a failing canary.

        Raises Rejected for an invalid input, BrokenRelease if no release can predict.
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
        """The comparison; None if a single release ran and succeeded."""
        if self._primary is None or (
            self._assignment.secondary is None and self._primary.prediction is not None
        ):
            return None
        if self._assignment.secondary is not None and self._secondary is None:
            self._secondary = _run_for_comparison(self._assignment.secondary, self._data, self._options)
        return self._compare(self._primary, self._secondary or ReleaseOutput("", 0.0, None))

    def health_sample(self) -> HealthSample | None:
        """The active release's sample; None if the candidate was primary."""
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
    """As ComparedRun.predict; a failure is recorded as well."""
    try:
        return run.predict(on_stage)
    except BrokenRelease:
        record_comparison(router, run)
        raise


def record_comparison(router: ReleaseRouter, run: ComparedRun) -> None:
    """Record the sample and the comparison; an unavailable store does not fail the drop."""
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
    """Run for comparison only: a failure does not affect the drop."""
    try:
        return _run_model(model, data, options, _ignore_stage)
    except VigilError as fault:
        reason = fault.reason if isinstance(fault, Rejected) else str(fault)
        return ReleaseOutput(model.release, 0.0, None, reason)


def _nothing_recognised(output: ReleaseOutput) -> bool:
    return output.prediction is not None and all(one.status != "known" for one in output.prediction.sightings)


def _same_subjects(first: ReleaseOutput, second: ReleaseOutput) -> bool:
    """Whether both have the same subjects in any order."""
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
    """The result is stored: there is no lease to renew."""
