"""Faces in turned pictures: a face is detected and located at each quarter turn, and the best one is used."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.faces.detector import Detections, Detector, DetectorInput
from vigil.faces.landmarks import Landmarker, Landmarks

TRANSPOSES = (None, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
"""By quarter turns, counterclockwise."""

CROP_SIDE = 2.0
"""Side of the square around a face in which it is detected again, in sides of its box."""

PASSES = 3
"""The box of a turned face is loose, and one more pass corrects the points."""


def detect_turned(detector: Detector, image: Image.Image, detector_input: DetectorInput) -> Detections:
    """The faces in an RGB picture after the turn by 90, 180 or 270 degrees at which they score highest."""
    found = [_detect_at_turn(detector, image, detector_input, quarter_turns) for quarter_turns in (1, 2, 3)]
    return max(found, key=lambda one: float(one.scores.max(initial=0)))


def _detect_at_turn(
    detector: Detector, image: Image.Image, detector_input: DetectorInput, quarter_turns: int
) -> Detections:
    transpose = TRANSPOSES[quarter_turns]
    turned = image.transpose(transpose) if transpose is not None else image
    found = detector.detect(turned, detector_input)
    corners = found.boxes.reshape(-1, 2)
    upright = _turn_back(corners, turned.size, quarter_turns).reshape(-1, 2, 2)
    boxes = np.concatenate([upright.min(axis=1), upright.max(axis=1)], axis=1)
    return Detections(boxes, found.scores)


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
        Landmarks(_turn_back(one.points, crop.size, quarter_turns) + corner, one.movement)
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


def _turn_back(points: NDArray[np.float32], size: tuple[int, int], quarter_turns: int) -> NDArray[np.float32]:
    """(n, 2) float32 points of a picture that was turned counterclockwise, in pixels before the turn.

    size  (width, height) of the turned picture
    """
    for _ in range(quarter_turns):
        points = np.stack([size[1] - points[:, 1], points[:, 0]], axis=1)
        size = size[::-1]
    return points
