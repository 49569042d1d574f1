"""A picture as a data set holds it: cut to one sighting, and described by what it can be sliced by."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from vigil.seeing import Box

MARGIN = 0.3
"""Of a box's sides, added on each: what aligns and prepares a sighting needs its surroundings."""

DARK, BRIGHT = 0.25, 0.75
POOR, GOOD = 0.4, 0.7
SIDE = 256
"""Pictures are measured at this size, so that resolution is not taken for sharpness."""

SOFT, SHARP = 0.08, 0.25


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
    grey = np.asarray(image.convert("L").resize((SIDE, SIDE)), np.float32) / np.float32(255)
    brightness = float(grey.mean())
    lighting = "dark" if brightness < DARK else "bright" if brightness > BRIGHT else "even"
    if qualities:
        return {"lighting": lighting, "quality": _grade(min(qualities), POOR, GOOD)}
    slope = float(np.abs(np.diff(grey, axis=1)).mean() / max(float(grey.std()), 1e-3))
    return {"lighting": lighting, "quality": _grade(slope, SOFT, SHARP)}


def _grade(value: float, poor: float, good: float) -> str:
    return "poor" if value < poor else "good" if value >= good else "fair"
