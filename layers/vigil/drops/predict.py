"""Prediction for one picture without a drop: nothing is claimed, recorded or alerted."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from vigil.drops.messages import S3Object
from vigil.drops.ports import InputReader
from vigil.drops.process import StageTimer
from vigil.errors import ObjectTooLarge, WrongType
from vigil.inference.types import Model, Models, Prediction, ignore_stage


@dataclass(frozen=True, slots=True)
class PredictionResult:
    """A prediction, the release that made it, and the duration of each stage in milliseconds."""

    release: str
    prediction: Prediction
    times_ms: Mapping[str, float]


def predict_once(
    model_name: str, image: S3Object | bytes, models: Models, objects: InputReader
) -> PredictionResult:
    """Run a model on bytes or on an S3 object. Raises Rejected with the reason that a lane would record."""
    model, stages = models.get(model_name), StageTimer(ignore_stage)
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
