"""One picture, looked at and answered at once: no claim, no record, no alert."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from vigil.drops.messages import S3Object
from vigil.drops.ports import InputReader
from vigil.drops.process import StageTimer
from vigil.errors import ObjectTooLarge, WrongType
from vigil.inference.types import Model, Models, Prediction


@dataclass(frozen=True, slots=True)
class PredictionResult:
    """What a model saw, and which release of it."""

    release: str
    prediction: Prediction
    times_ms: Mapping[str, float]


def predict_once(
    model_name: str, image: S3Object | bytes, models: Models, objects: InputReader
) -> PredictionResult:
    """Raises Rejected for what no model can see, as the lanes would note it."""
    model, stages = models.get(model_name), StageTimer(_ignore_stage)
    stages("read")
    data = _read_input(image, model, objects)
    prediction = model.predict(data, {}, stages)
    return PredictionResult(model.release, prediction, stages.durations_ms())


def _read_input(image: S3Object | bytes, model: Model, objects: InputReader) -> bytes:
    if isinstance(image, bytes):
        if len(image) > model.max_bytes:
            raise ObjectTooLarge(f"{len(image)} bytes, {model.name} takes {model.max_bytes}")
        return image
    suffix = PurePosixPath(image.key).suffix.lower()
    if suffix and suffix not in model.suffixes:
        raise WrongType(f"{model.name} reads {', '.join(sorted(model.suffixes))}, not {suffix}")
    return objects.fetch(image, model.max_bytes)


def _ignore_stage(_: str) -> None:
    """Nobody renews anything."""
