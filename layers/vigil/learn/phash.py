"""A picture becomes 64 bits that stay nearly the same when it is scaled, recompressed or brightened."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 32
LOW = 8


def perceptual_hash(image: Image.Image) -> int:
    """Which of the 64 lowest frequencies are above their median: bit 63 is the first row's first.

    The mean brightness is left out of the median, and its own bit is always 0.
    """
    small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    low = (_COSINES @ np.asarray(small, np.float64) @ _COSINES.T).ravel()
    low[0] = -np.inf
    bits = low > np.median(low[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def near(hashes: NDArray[np.uint64], one: int, bits: int) -> NDArray[np.bool_]:
    """Which of (N,) hashes differ from one in at most so many bits."""
    close: NDArray[np.bool_] = np.bitwise_count(hashes ^ np.uint64(one)) <= bits
    return close


def _cosines() -> NDArray[np.float64]:
    """(LOW, SIDE): the lowest rows of the orthonormal cosine transform (DCT-II)."""
    row, column = np.arange(LOW)[:, np.newaxis], np.arange(SIDE)[np.newaxis, :]
    angle = np.pi * row * (2 * column + 1) / (2 * SIDE)
    waves: NDArray[np.float64] = np.cos(angle) * np.sqrt(2 / SIDE)
    waves[0] /= np.sqrt(2)
    return waves


_COSINES = _cosines()
