"""Where the faces are in a picture, at the input size that is asked for."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.faces.anchors import Anchors, decode
from vigil.faces.nms import suppress
from vigil.predict.card import Preparation
from vigil.predict.prepare import filled, fit
from vigil.predict.release import Release
from vigil.predict.session import Session, open_session


@dataclass(frozen=True, slots=True)
class Canvas:
    """One input size of the detector.

    size   (width, height) for a wide picture; turned for a tall one
    score  the least score, 0..1, of a face at this size
    """

    size: tuple[int, int]
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Faces in one picture, strongest first.

    boxes   (n, 4) float32, left, top, right, bottom in pixels of the picture, perhaps beyond its edges
    scores  (n,) float32, 0..1
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Detector:
    """The network, and what its card says of its output."""

    session: Session
    preparation: Preparation
    anchors: Anchors
    outputs: tuple[str, str]
    face_column: int
    overlap: float

    def find(self, image: Image.Image, canvas: Canvas) -> Found:
        """Every face that scores enough, one box for each."""
        size = canvas.size if image.width >= image.height else canvas.size[::-1]
        fitted = fit(image, self.preparation, size)
        scores, offsets = self.session.run(list(self.outputs), filled(fitted, self.preparation, size))
        likely = np.flatnonzero(scores[0, :, self.face_column] >= canvas.score)
        unit = decode(offsets[0, likely], grid(self.anchors, size)[likely], self.anchors)
        across, down = size[0] * image.width / fitted.width, size[1] * image.height / fitted.height
        boxes = unit * np.array([across, down, across, down], np.float32)
        strength = scores[0, likely, self.face_column]
        kept = suppress(boxes, strength, self.overlap)
        kept = kept[_centred_in(image, boxes[kept])]
        return Found(boxes[kept], strength[kept])


def open_detector(release: Release, overlap: float) -> Detector:
    """overlap: largest intersection over union, 0..1, of two faces."""
    card = release.card
    return Detector(
        session=open_session(release),
        preparation=Preparation.read(card),
        anchors=Anchors.read(card),
        outputs=(card.text("output.scores"), card.text("output.offsets")),
        face_column=card.whole("output.face_column"),
        overlap=overlap,
    )


@lru_cache(maxsize=16)
def grid(anchors: Anchors, size: tuple[int, int]) -> NDArray[np.float32]:
    """`Anchors.grid`, made once for each size."""
    return anchors.grid(size)


def _centred_in(image: Image.Image, boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which boxes have their middle in the picture, and not in the padding beside it."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.asarray(((middle >= 0) & (middle < image.size)).all(axis=1))
