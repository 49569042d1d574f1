"""Quality of a face, 0 to 1, from its size, sharpness and pose, and the names of its faults."""

from dataclasses import dataclass
from math import atan2, degrees

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.inference.card import Fraction
from vigil.toml_file import TomlTable

ROTATED_ABOVE = 45.0
"""Degrees; the networks work on faces that roll less."""

SHARPNESS_STEP_PX = 2
"""In an aligned face. At one pixel, rounding to whole grey levels hides the blur of a bad picture."""


class Ramp(TomlTable, frozen=True):
    """Maps a measure linearly to 0..1: `poor` to 0 and `good` to 1, clipped beyond them."""

    poor: float
    good: float

    def __post_init__(self) -> None:
        if self.poor == self.good:
            raise ValueError("poor and good must differ")

    def __call__(self, value: float) -> float:
        return min(1.0, max(0.0, (value - self.poor) / (self.good - self.poor)))


@dataclass(frozen=True, slots=True)
class FaceMeasures:
    """What the quality of a face follows from.

    height_px  of the box in the full-size picture
    sharpness  as `measure_sharpness` returns it
    turn       as `measure_turn` returns it
    movement   of the landmarks between two passes, as a share of the face: large if it is turned by
               90 degrees or more, in profile, or covered
    roll       as `measure_roll` returns it
    """

    height_px: float
    sharpness: float
    turn: float
    movement: float
    roll: float = 0.0


class QualityGate(TomlTable, frozen=True):
    """Table [face_quality]: how each of FaceMeasures becomes a quality.

    unfit_below  a measure that maps to less than this makes the face unfit
    """

    height_px: Ramp
    sharpness: Ramp
    turn: Ramp
    movement: Ramp
    unfit_below: Fraction

    def assess(self, face: FaceMeasures) -> tuple[float, tuple[str, ...]]:
        """The quality, 0..1, which is that of the worst measure, and the names of the faults.

        Landmarks that move are those of a rotated face, or of one in profile, which is turned.
        """
        measures = (
            ("small", self.height_px(face.height_px)),
            ("blurred", self.sharpness(face.sharpness)),
            ("turned", self.turn(face.turn)),
            ("rotated" if face.roll > ROTATED_ABOVE else "turned", self.movement(face.movement)),
        )
        faults = dict.fromkeys(name for name, measure in measures if measure < self.unfit_below)
        return min(measure for _, measure in measures), tuple(faults)


def measure_sharpness(face: Image.Image) -> float:
    """Mean second difference over SHARPNESS_STEP_PX, divided by the contrast: 0.5 in focus, 0.1 unusable.

    face  aligned, RGB; only its middle is measured, without hair and background
    """
    step = SHARPNESS_STEP_PX
    side = face.width // 7
    grey = np.asarray(face.convert("L"), np.float32)[side:, side:-side]
    neighbours = grey[: -2 * step, step:-step] + grey[2 * step :, step:-step]
    neighbours += grey[step:-step, : -2 * step] + grey[step:-step, 2 * step :]
    curve = neighbours - 4 * grey[step:-step, step:-step]
    return float(np.abs(curve).mean() / max(float(grey.std()), 1.0))


def measure_brightness(face: Image.Image) -> float:
    """Mean grey level of an aligned RGB face, 0 to 1."""
    return float(np.asarray(face.convert("L"), np.float32).mean()) / 255


def measure_turn(points: NDArray[np.float32]) -> float:
    """How far a face is turned up, down or sideways: 0 is frontal; from 0.5 one eye is hardly visible.

    points  (5, 2) float32, x and y in pixels: two eyes, nose, two mouth corners, each from left to right
    """
    eyes, mouth = (points[0] + points[1]) / 2, (points[3] + points[4]) / 2
    axis = points[1] - points[0]
    across = max(float(np.hypot(*axis)), 1e-6)
    down = mouth - eyes
    length = max(float(np.hypot(*down)), 1e-6)
    nose = points[2] - eyes
    sideways = abs(float(nose[0] * down[1] - nose[1] * down[0])) / (length * across)
    nod = abs(float(nose @ down) / length**2 - 0.5)
    return max(sideways, nod, 0.5 * abs(across / length - 1.0) if across < length / 2 else 0.0)


def measure_roll(points: NDArray[np.float32]) -> float:
    """By how many degrees the line of the eyes is rotated, either way: 0 to 180.

    points  as for `measure_turn`
    """
    across, down = (points[1] - points[0]).tolist()
    return abs(degrees(atan2(down, across)))
