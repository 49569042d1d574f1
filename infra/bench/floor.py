"""Photo to embedding, against the least that it can take: unpacking the photo, and each network once."""

import io
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from infra.bench.ratios import Ratio, ratio
from infra.cli.places import PHOTOS
from vigil.faces.look import Eyes, open_eyes
from vigil.predict.shelf import Shelf

LONG_SIDE_PX = 1920
WAY = "320"


def photo_over_floor(shelf: Shelf, rounds: int = 60) -> Ratio:
    """One face in a JPEG of 1920 pixels, the detector at 320."""
    eyes = open_eyes(shelf.part("faces"), shelf.part)
    photo = one_face()
    return ratio(
        partial(eyes.look, photo, {"detect": WAY}, _unmarked), partial(_floor, eyes, photo), rounds=rounds
    )


def one_face() -> bytes:
    """A real photograph of one person, 1180×1920."""
    image = Image.open(PHOTOS / "obama3.jpg")
    factor = LONG_SIDE_PX / max(image.size)
    out = io.BytesIO()
    size = round(image.width * factor), LONG_SIDE_PX
    image.resize(size, Image.Resampling.LANCZOS).save(out, "JPEG", quality=90)
    return out.getvalue()


def _floor(eyes: Eyes, photo: bytes) -> None:
    """The same draft decoding, and three bare runs on input that is ready."""
    image = Image.open(io.BytesIO(photo))
    side = eyes.sight.unpack_px(WAY) or LONG_SIDE_PX
    image.draft("RGB", (round(image.width * side / image.height), side))
    image.load()
    width, height = eyes.sight.canvases[WAY].size
    for session, shape in (
        (eyes.detector.session, (1, 3, width, height)),
        (eyes.landmarker.session, (1, 1, 64, 64)),
        (eyes.embedder.session, (1, 3, 112, 112)),
    ):
        session.runtime.run(None, {session.input: _half_grey(shape)})


def _half_grey(shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.full(shape, 0.1, np.float32)


def _unmarked(stage: str) -> None:
    """A benchmark waits for the end only."""
