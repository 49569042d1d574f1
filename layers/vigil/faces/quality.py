"""How far a face can be trusted, 0 to 1, by its size, sharpness and turn, and what is wrong with it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.inference.card import TomlReader

SHARPNESS_STEP_PX = 2
"""Of an aligned face. Over one pixel, rounding to whole grey levels hides the blur of a bad picture."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """A measure becomes 0 to 1: `poor` and beyond is 0, `good` and beyond is 1, between them a line."""

    poor: float
    good: float

    def __call__(self, value: float) -> float:
        return min(1.0, max(0.0, (value - self.poor) / (self.good - self.poor)))


@dataclass(frozen=True, slots=True)
class QualityGate:
    """What a card asks of a face.

    height_px, sharpness, turn  how each measure becomes 0 to 1
    unfit                       a measure that comes to less than this, 0..1, is a fault
    """

    height_px: Ramp
    sharpness: Ramp
    turn: Ramp
    unfit_below: float

    @classmethod
    def from_card(cls, card: TomlReader) -> "QualityGate":
        height, sharpness, turn = (
            Ramp(card.get_float(f"quality.{name}.poor"), card.get_float(f"quality.{name}.good"))
            for name in ("height_px", "sharpness", "turn")
        )
        return cls(height, sharpness, turn, card.get_float("quality.unfit"))

    def assess(self, *, height_px: float, sharpness: float, turn: float) -> tuple[float, tuple[str, ...]]:
        """The quality, 0..1, as good as its worst measure, and the faults by name."""
        measures = {
            "small": self.height_px(height_px),
            "blurred": self.sharpness(sharpness),
            "turned": self.turn(turn),
        }
        return min(measures.values()), tuple(
            name for name, measure in measures.items() if measure < self.unfit_below
        )


def measure_sharpness(face: Image.Image) -> float:
    """Mean change of slope over STEP_PX, as a share of the face's contrast: 0.5 in focus, 0.1 beyond use.

    face  aligned, RGB; its middle is measured, so that hair and background say little
    """
    step = SHARPNESS_STEP_PX
    side = face.width // 7
    grey = np.asarray(face.convert("L"), np.float32)[side:, side:-side]
    neighbours = grey[: -2 * step, step:-step] + grey[2 * step :, step:-step]
    neighbours += grey[step:-step, : -2 * step] + grey[step:-step, 2 * step :]
    curve = neighbours - 4 * grey[step:-step, step:-step]
    return float(np.abs(curve).mean() / max(float(grey.std()), 1.0))


def measure_turn(points: NDArray[np.float32]) -> float:
    """How far a face is turned up, down or sideways: 0 looks straight, from 0.5 one eye is hardly seen.

    anchors  (5, 2) float32: two eyes, nose, two mouth corners, from the left as the picture shows them
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
