"""Of boxes that overlap, one is selected."""

import numpy as np
from numpy.typing import NDArray


def non_max_suppression(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], max_iou: float
) -> NDArray[np.int64]:
    """Of boxes that overlap, select the one with the highest score.

    boxes    (N, 4) float32, left, top, right, bottom, any unit
    scores   (N,) float32, 0..1
    max_iou  largest intersection over union, 0..1, of two selected boxes
    returns  (n,) int64, indices of the selected boxes, highest score first
    """
    remaining = np.argsort(-scores, kind="stable")
    areas = box_areas(boxes)
    selected: list[int] = []
    while remaining.size:
        first, remaining = int(remaining[0]), remaining[1:]
        selected.append(first)
        intersection = intersection_areas(boxes[first], boxes[remaining])
        remaining = remaining[intersection <= max_iou * (areas[first] + areas[remaining] - intersection)]
    return np.array(selected, np.int64)


def suppress_contained(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], max_contained: float
) -> NDArray[np.int64]:
    """Remove boxes that lie mostly inside a larger one, such as a face cut by a tile's edge.

    boxes          (N, 4) float32, left, top, right, bottom, any unit
    scores         (N,) float32, 0..1
    max_contained  largest intersection over the smaller area, 0..1, of two selected boxes
    returns        (n,) int64, indices of the selected boxes, highest score first
    """
    areas = box_areas(boxes)
    remaining = np.argsort(-areas, kind="stable")
    selected: list[int] = []
    while remaining.size:
        first, remaining = int(remaining[0]), remaining[1:]
        selected.append(first)
        remaining = remaining[
            intersection_areas(boxes[first], boxes[remaining]) <= max_contained * areas[remaining]
        ]
    return np.array(sorted(selected, key=lambda index: -float(scores[index])), np.int64)


def box_areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) float32 areas of (n, 4) float32 boxes."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def intersection_areas(box: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) float32: area of the intersection of one (4,) box with each of (n, 4) boxes."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    return np.asarray(np.maximum(sides[:, 0], 0) * np.maximum(sides[:, 1], 0), np.float32)


def suppress_by_label(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], labels: NDArray[np.int64], max_iou: float
) -> NDArray[np.int64]:
    """Of boxes of one label that overlap, select the one with the highest score.

    boxes    (N, 4) float32, left, top, right, bottom, any unit
    scores   (N,) float32, 0..1
    labels   (N,) int64
    returns  (n,) int64, indices of the selected boxes, highest score first
    """
    if not len(boxes):
        return np.zeros(0, np.int64)
    apart = labels[:, np.newaxis] * np.float32(2 * np.abs(boxes).max() + 1)
    return non_max_suppression(boxes + apart, scores, max_iou)
