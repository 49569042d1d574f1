"""Photo to embedding against its lower bound: decoding the photo and running each network once."""

import io
import time
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.benchmark.ratios import Ratio, measure_ratio
from vigil.faces.pipeline import FacePipeline, open_face_pipeline
from vigil.inference.repository import BundledModels
from vigil.inference.types import ignore_stage
from vigil_cli.paths import PHOTOS

LONG_SIDE_PX = 1920


def photo_over_floor(models: BundledModels, rounds: int = 60) -> Ratio:
    """Measure one face in a JPEG of 1920 pixels, with the default options, by the time of this thread."""
    pipeline = open_face_pipeline(models.open_part("faces"), models.open_part)
    photo = single_face_photo()
    return measure_ratio(
        partial(pipeline.analyze, photo, {}, ignore_stage),
        partial(_run_lower_bound, pipeline, photo),
        rounds=rounds,
        clock=time.thread_time,
    )


def single_face_photo() -> bytes:
    """A photograph of one person, 1180×1920 pixels."""
    image = Image.open(PHOTOS / "obama3.jpg")
    factor = LONG_SIDE_PX / max(image.size)
    out = io.BytesIO()
    size = round(image.width * factor), LONG_SIDE_PX
    image.resize(size, Image.Resampling.LANCZOS).save(out, "JPEG", quality=90)
    return out.getvalue()


def _run_lower_bound(pipeline: FacePipeline, photo: bytes) -> None:
    """The same draft decoding, and one run of each network on prepared input, coarse for the detector."""
    detection = pipeline.card.detection
    image = Image.open(io.BytesIO(photo))
    side = pipeline.decode_side_px(detection.default_input) or LONG_SIDE_PX
    image.draft("RGB", (round(image.width * side / image.height), side))
    image.load()
    width, height = detection.auto.coarse.size
    for session, shape in (
        (pipeline.detector.session, (1, 3, width, height)),
        (pipeline.landmarker.session, (1, 1, 64, 64)),
        (pipeline.embedder.session, (1, 3, 112, 112)),
    ):
        session.runtime.run(None, {session.input_name: _constant_input(shape)})


def _constant_input(shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.full(shape, 0.1, np.float32)
