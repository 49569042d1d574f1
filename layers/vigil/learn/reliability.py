"""Whether a score of 0.8 is right eight times in ten: the reliability table and its calibration error."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Bin:
    """Items whose confidence lies in one part of 0 to 1: how sure they were, and how often right."""

    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """Filled bins, rising in confidence; `error` is their mean gap (expected calibration error)."""

    bins: tuple[Bin, ...]
    error: float


def reliability(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 15) -> Reliability:
    """Group (N,) confidences of 0 to 1 into equal widths; a bin holds its upper edge."""
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    filled = tuple(_bin(confidence[place == n], right[place == n]) for n in range(bins) if (place == n).any())
    total = max(len(confidence), 1)
    error = sum(part.count * abs(part.confidence - part.accuracy) for part in filled) / total
    return Reliability(filled, float(error))


def _bin(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Bin:
    return Bin(len(confidence), float(confidence.mean()), float(right.mean()))
