"""Faces in turned pictures: a face is detected and located at each quarter turn, and the best one is used."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.faces.detector import Detector, DetectorInput
from vigil.faces.landmarks import Landmarker, Landmarks

TRANSPOSES = (None, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
"""By quarter turns, counterclockwise."""

CROP_SIDE = 2.0
"""Side of the square around a face in which it is detected again, in sides of its box."""

PASSES = 3
"""The box of a turned face is loose, and one more pass corrects the points."""


def locate_turned(
    detector: Detector,
    landmarker: Landmarker,
    image: Image.Image,
    box: NDArray[np.float32],
    detector_input: DetectorInput,
) -> Landmarks | None:
    """The landmarks at the quarter turn at which they fit best; None if no turn shows a face.

    image  RGB
    box    (4,) float32, left, top, right, bottom in pixels of `image`
    """
    middle = (box[:2] + box[2:]) / 2
    side = round(CROP_SIDE * float((box[2:] - box[:2]).max()))
    left, top = np.floor(middle - side / 2).astype(int).tolist()
    crop = image.crop((left, top, left + side, top + side))
    corner = np.array([left, top], np.float32)
    located = [
        Landmarks(_turn_back(one.points, side, quarter_turns) + corner, one.movement)
        for quarter_turns, transpose in enumerate(TRANSPOSES)
        for one in _locate_upright(
            detector, landmarker, crop.transpose(transpose) if transpose else crop, detector_input
        )
    ]
    return min(located, key=lambda one: one.movement, default=None)


def _locate_upright(
    detector: Detector, landmarker: Landmarker, crop: Image.Image, detector_input: DetectorInput
) -> list[Landmarks]:
    """The landmarks of the face that covers the middle of a square, if there is one."""
    middle = crop.width / 2
    boxes = detector.detect(crop, detector_input).boxes
    covers = (boxes[:, :2] < middle).all(axis=1) & (boxes[:, 2:] > middle).all(axis=1)
    return [landmarker.locate(crop, box, passes=PASSES) for box in boxes[covers][:1]]


def _turn_back(points: NDArray[np.float32], side: int, quarter_turns: int) -> NDArray[np.float32]:
    """(n, 2) float32 points of a square that was turned counterclockwise, in pixels before the turn."""
    for _ in range(quarter_turns):
        points = np.stack([side - points[:, 1], points[:, 0]], axis=1)
    return points
