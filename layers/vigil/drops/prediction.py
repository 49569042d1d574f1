"""Runs the assigned releases of a model on the input of a drop, or a model on one image."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from vigil.drops.messages import Drop, InlinePayload, S3Object
from vigil.errors import BrokenRelease, ObjectTooLarge, Rejected, VigilError
from vigil.inference.types import Model, Models, Option, Prediction, StageCallback, ignore_stage


class InputReader(Protocol):
    """Reads the objects of drops."""

    def fetch(self, item: S3Object, max_bytes: int) -> bytes:
        """Read the given version. Raises ObjectNotFound, ObjectTooLarge (before reading), Transient."""

    def with_version(self, item: S3Object) -> S3Object:
        """The object with its newest version, unless it has one. Raises ObjectNotFound, Transient."""


@dataclass(frozen=True, slots=True)
class ReleaseAssignment:
    """The releases that run on a drop.

    primary    its prediction is the drop's
    secondary  runs for comparison: a candidate in shadow, or the active release beside a canary
    candidate  the id of the release under test; "" if there is none
    """

    primary: Model
    secondary: Model | None = None
    candidate: str = ""


class ReleaseRouter(Protocol):
    """Assigns releases to drops."""

    def assign(self, drop: Drop) -> ReleaseAssignment:
        """Raises UnknownModel; an unavailable release or pointer is replaced by another release."""


@dataclass(frozen=True, slots=True)
class ReleaseOutput:
    """The output of one release for one drop; without a prediction it failed, and `error` says why."""

    release: str
    latency_ms: float
    prediction: Prediction | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseOutputs:
    """What the releases assigned to a drop returned; `secondary` is None if no second release ran."""

    primary: ReleaseOutput
    secondary: ReleaseOutput | None = None
    candidate: str = ""


class PredictionFailed(BrokenRelease):
    """No release that may answer the drop returned a prediction."""

    def __init__(self, message: str, outputs: ReleaseOutputs) -> None:
        super().__init__(message)
        self.outputs = outputs


@dataclass(frozen=True, slots=True)
class ReleaseRun:
    """The run of the assigned releases on one input; `release` made `prediction`.

    shadow  the release that is still to run for comparison
    """

    release: str
    prediction: Prediction
    outputs: ReleaseOutputs
    data: bytes
    options: Mapping[str, Option]
    shadow: Model | None = None

    def with_shadow(self) -> ReleaseOutputs:
        """All outputs; a release in shadow runs only now, when the result of the drop is stored."""
        if self.shadow is None:
            return self.outputs
        return replace(self.outputs, secondary=_run_for_comparison(self.shadow, self.data, self.options))


@dataclass(slots=True)
class StageTimer:
    """Measures stages; `on_stage` is called as each begins, and an exception of it ends the drop there."""

    on_stage: StageCallback
    current: str = "claim"
    times_ms: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.perf_counter)

    def __call__(self, stage: str) -> None:
        self._stop_current()
        self.current = stage
        self.on_stage(stage)

    def durations_ms(self) -> dict[str, float]:
        """Milliseconds by stage, including the current one."""
        self._stop_current()
        return {stage: round(ms, 2) for stage, ms in self.times_ms.items()}

    def _stop_current(self) -> None:
        now = time.perf_counter()
        self.times_ms[self.current] = self.times_ms.get(self.current, 0.0) + (now - self._since) * 1000
        self._since = now


@dataclass(frozen=True, slots=True)
class PredictionResult:
    """A prediction outside the lanes, and the release that made it."""

    release: str
    prediction: Prediction
    times_ms: Mapping[str, float]


def predict_once(
    model_name: str,
    image: S3Object | bytes,
    options: Mapping[str, Option],
    models: Models,
    objects: InputReader,
) -> PredictionResult:
    """Predict on one image without a claim or a record. Raises Rejected as the lanes would."""
    model, stages = models.get(model_name), StageTimer(ignore_stage)
    stages("read")
    data = read_input(InlinePayload(image) if isinstance(image, bytes) else image, model, objects)
    prediction = model.predict(data, options, stages)
    return PredictionResult(model.release, prediction, stages.durations_ms())


def read_input(payload: S3Object | InlinePayload, model: Model, objects: InputReader) -> bytes:
    """The bytes of an input, whatever its name is. Raises ObjectTooLarge, ObjectNotFound, Transient."""
    if isinstance(payload, InlinePayload):
        if len(payload.data) > model.max_bytes:
            raise ObjectTooLarge(f"{len(payload.data)} bytes, {model.name} takes {model.max_bytes}")
        return payload.data
    return objects.fetch(payload, model.max_bytes)


def run_releases(
    assignment: ReleaseAssignment, data: bytes, options: Mapping[str, Option], on_stage: StageCallback
) -> ReleaseRun:
    """Run the primary release; if a canary fails, the active release answers in its place.

    Raises Rejected, PredictionFailed.
    """
    candidate, secondary = assignment.candidate, assignment.secondary
    primary = _run(assignment.primary, data, options, on_stage)
    outputs = ReleaseOutputs(primary, None, candidate)
    if primary.prediction is not None:
        return ReleaseRun(primary.release, primary.prediction, outputs, data, options, secondary)
    if secondary is None:
        raise PredictionFailed(primary.error, outputs)
    if primary.release != candidate:
        shadow = _run_for_comparison(secondary, data, options)
        raise PredictionFailed(primary.error, replace(outputs, secondary=shadow))
    active = _run(secondary, data, options, on_stage)
    outputs = replace(outputs, secondary=active)
    if active.prediction is None:
        raise PredictionFailed(active.error, outputs)
    return ReleaseRun(active.release, active.prediction, outputs, data, options)


def _run(model: Model, data: bytes, options: Mapping[str, Option], on_stage: StageCallback) -> ReleaseOutput:
    began = time.perf_counter()
    try:
        prediction = model.predict(data, options, on_stage)
    except BrokenRelease as error:
        return ReleaseOutput(model.release, _elapsed_ms(began), None, str(error))
    return ReleaseOutput(model.release, _elapsed_ms(began), prediction)


def _run_for_comparison(model: Model, data: bytes, options: Mapping[str, Option]) -> ReleaseOutput:
    """No failure of this run is a failure of the drop."""
    try:
        return _run(model, data, options, ignore_stage)
    except VigilError as error:
        reason = error.reason if isinstance(error, Rejected) else str(error)
        return ReleaseOutput(model.release, 0.0, None, reason)


def _elapsed_ms(began: float) -> float:
    return (time.perf_counter() - began) * 1000
