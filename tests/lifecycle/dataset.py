"""Labelled handwritten digits (UCI; 1,797 pictures of 8×8 grey levels), as scikit-learn ships them."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

SIDE_PX = 32


@dataclass(frozen=True, slots=True)
class Digit:
    """image  PNG, grey, 32×32 pixels"""

    image: bytes
    label: str


def read_digits() -> tuple[Digit, ...]:
    """Return all digits in the order of the dataset."""
    digits = load_digits()
    return tuple(
        Digit(_to_png(levels), str(label)) for levels, label in zip(digits.images, digits.target, strict=True)
    )


def invert(image: bytes) -> bytes:
    """Return the picture with inverted grey levels."""
    grey = np.asarray(Image.open(io.BytesIO(image)))
    return _encode_png(Image.fromarray(np.uint8(255) - grey))


def _to_png(levels: NDArray[np.float64]) -> bytes:
    """Encode (8, 8) float64 levels from 0 to 16 as PNG."""
    small = Image.fromarray((levels * (255 / 16)).round().astype(np.uint8))
    return _encode_png(small.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC))


def _encode_png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
