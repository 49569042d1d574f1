"""Of boxes that cover the same thing, keep the one that scores highest."""

import numpy as np
from numpy.typing import NDArray


def suppress(boxes: NDArray[np.float32], scores: NDArray[np.float32], overlap: float) -> NDArray[np.int64]:
    """Places of the boxes kept, strongest first.

    boxes    (N, 4) float32, left, top, right, bottom, any unit
    scores   (N,) float32
    overlap  largest intersection over union, 0..1, of two boxes that both stay
    """
    left = np.argsort(-scores, kind="stable")
    areas = _areas(boxes)
    kept: list[int] = []
    while left.size:
        first, left = int(left[0]), left[1:]
        kept.append(first)
        shared = _shared(boxes[first], boxes[left])
        left = left[shared <= overlap * (areas[first] + areas[left] - shared)]
    return np.array(kept, np.int64)


def suppress_parts(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], overlap: float
) -> NDArray[np.int64]:
    """Drop boxes that lie mostly inside a larger one: a face cut by a tile's edge yields to the whole face.

    overlap  largest intersection over the smaller box, 0..1, of two boxes that both stay
    returns  places of the boxes kept, strongest first
    """
    areas = _areas(boxes)
    left = np.argsort(-areas, kind="stable")
    kept: list[int] = []
    while left.size:
        first, left = int(left[0]), left[1:]
        kept.append(first)
        left = left[_shared(boxes[first], boxes[left]) <= overlap * areas[left]]
    return np.array(sorted(kept, key=lambda place: -float(scores[place])), np.int64)


def _areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _shared(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Area that one box has in common with each of the others."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    return np.asarray(np.maximum(sides[:, 0], 0) * np.maximum(sides[:, 1], 0), np.float32)
