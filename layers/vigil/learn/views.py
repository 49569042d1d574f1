"""A picture as a data set holds it: cut to one sighting, and described by what it can be sliced by."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.seeing import Box

MARGIN = 0.3
"""Of a box's sides, added on each: what aligns and prepares a sighting needs its surroundings."""

DARK, BRIGHT = 0.25, 0.75
POOR, GOOD = 0.4, 0.7
SIDE = 512
"""Pictures are measured at most so large, so that blur that nobody sees does not count."""

REACH = 9
SOFT, SHARP = 0.45, 0.6
"""Of six photographs, in focus 0.66 to 0.68; out of focus by 4 pixels 0.48 to 0.59, by 8 0.36 to 0.50."""


def cut(image: Image.Image, box: Box) -> bytes:
    """What lies in a box and a margin around it, as PNG; the box is in pixels of this image."""
    across, down = (box[2] - box[0]) * MARGIN, (box[3] - box[1]) * MARGIN
    left, top = max(0, int(box[0] - across)), max(0, int(box[1] - down))
    right, bottom = min(image.width, int(box[2] + across) + 1), min(image.height, int(box[3] + down) + 1)
    packed = io.BytesIO()
    image.crop((left, top, right, bottom)).save(packed, "PNG")
    return packed.getvalue()


def described(image: Image.Image, qualities: Sequence[float]) -> dict[str, str]:
    """{"lighting": …, "quality": …}: by the model's own quality where it measured one, else by sharpness."""
    small = image.convert("L")
    small.thumbnail((SIDE, SIDE))
    grey = np.asarray(small, np.float32) / np.float32(255)
    brightness = float(grey.mean())
    lighting = "dark" if brightness < DARK else "bright" if brightness > BRIGHT else "even"
    if qualities:
        return {"lighting": lighting, "quality": _grade(min(qualities), POOR, GOOD)}
    sharp = min(sharpness(grey), sharpness(np.ascontiguousarray(grey.T)))
    return {"lighting": lighting, "quality": _grade(sharp, SOFT, SHARP)}


def sharpness(grey: NDArray[np.float32]) -> float:
    """The share of a picture's changes along its rows that a blur takes away: of what is blurred, few.

    grey  (H, W) float32, 0..1
    """
    sums = np.cumsum(np.pad(grey, ((0, 0), (REACH, 0)), mode="edge"), axis=1)
    blurred = (sums[:, REACH:] - sums[:, :-REACH]) / np.float32(REACH)
    before, after = np.abs(np.diff(grey, axis=1)), np.abs(np.diff(blurred, axis=1))
    return float(np.maximum(before - after, 0).sum() / max(float(before.sum()), 1e-6))


def _grade(value: float, poor: float, good: float) -> str:
    return "poor" if value < poor else "good" if value >= good else "fair"
