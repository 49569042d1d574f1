"""From the tensors of a detection network to boxes: anchors, distributions over distances, suppression."""

from collections.abc import Sequence
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

from vigil.inference.card import PositiveInt
from vigil.toml_file import TomlTable


class AnchorConfig(TomlTable, frozen=True):
    """Table [anchors]: the anchors around each cell's centre, and how offsets to them are scaled.

    strides          side of a cell in pixels, for each layer
    min_sizes        for each layer, the sides of the square anchors in pixels
    centre_variance  factor of the offsets of centres
    size_variance    factor of the offsets of sizes
    """

    strides: tuple[PositiveInt, ...]
    min_sizes: tuple[tuple[float, ...], ...]
    centre_variance: float
    size_variance: float

    def __post_init__(self) -> None:
        if len(self.strides) != len(self.min_sizes):
            raise ValueError("strides and min_sizes must have the same length")

    def grid(self, size: tuple[int, int], used: tuple[int, int] | None = None) -> NDArray[np.float32]:
        """All anchors of an input of `size` (width, height) in pixels, or of its top left part `used`.

        returns  (N, 4) float32: centre x, centre y, width, height, in 0..1 of the input
        """
        layers = [
            _anchor_layer(size, used or size, stride, sides)
            for stride, sides in zip(self.strides, self.min_sizes, strict=True)
        ]
        return np.clip(np.concatenate(layers), 0, 1).astype(np.float32)


@lru_cache(maxsize=16)
def cached_anchor_grid(
    config: AnchorConfig, size: tuple[int, int], used: tuple[int, int]
) -> NDArray[np.float32]:
    """`AnchorConfig.grid`, computed once for each size."""
    return config.grid(size, used)


def decode_offsets(
    offsets: NDArray[np.float32], anchors: NDArray[np.float32], config: AnchorConfig
) -> NDArray[np.float32]:
    """Boxes from a network's offsets to anchors (Liu et al. 2016, SSD).

    offsets  (N, 4) float32: shift of the centre in anchor sizes, log of the growth, both over the variance
    anchors  (N, 4) float32, as `grid` returns them
    returns  (N, 4) float32: left, top, right, bottom in 0..1 of the input, not clipped
    """
    centre = offsets[:, :2] * np.float32(config.centre_variance) * anchors[:, 2:] + anchors[:, :2]
    half = np.exp(offsets[:, 2:] * np.float32(config.size_variance)) * anchors[:, 2:] / np.float32(2)
    return np.concatenate([centre - half, centre + half], axis=1)


def _anchor_layer(
    size: tuple[int, int], used: tuple[int, int], stride: int, sides: tuple[float, ...]
) -> NDArray[np.float64]:
    """(rows * columns * sides, 4) float64, in 0..1 of the input: by row, then by cell, then by side."""
    centres_x, centres_y = (
        (np.arange(ceil(part_px / stride)) + 0.5) / ceil(side_px / stride)
        for part_px, side_px in zip(used, size, strict=True)
    )
    y, x, side = np.meshgrid(centres_y, centres_x, np.asarray(sides), indexing="ij")
    return np.stack([x, y, side / size[0], side / size[1]], axis=-1).reshape(-1, 4)


def decode_distributions(
    sides: Sequence[NDArray[np.float32]], size: tuple[int, int], strides: Sequence[int]
) -> NDArray[np.float32]:
    """The boxes of all cells, scale by scale, row by row (Li et al. 2020, generalised focal loss).

    sides    for each stride (..., rows * columns, 4 * bins) float32: logits of the distance to the left, top,
             right and bottom side, in cells; bin k means k cells
    size     (width, height) of the input in pixels
    strides  side of a cell in pixels
    returns  (N, 4) float32: left, top, right, bottom in pixels of the input, not clipped
    raises   ValueError if the numbers of tensors, cells or bins do not fit
    """
    scales = [
        _decode_scale(logits, _cell_centres(size, stride), stride)
        for logits, stride in zip(sides, strides, strict=True)
    ]
    return np.concatenate(scales)


def _decode_scale(
    logits: NDArray[np.float32], centres: NDArray[np.float32], stride: int
) -> NDArray[np.float32]:
    """(N, 4) float32 boxes of the cells with these (N, 2) centres."""
    if logits.size // logits.shape[-1] != len(centres):
        raise ValueError(f"{logits.size // logits.shape[-1]} cells where stride {stride} has {len(centres)}")
    by_side = logits.reshape(len(centres), 4, -1).astype(np.float32)
    weights = np.exp(by_side - by_side.max(axis=2, keepdims=True))
    bins = np.arange(by_side.shape[2], dtype=np.float32)
    distances = weights @ bins / weights.sum(axis=2) * np.float32(stride)
    return np.concatenate([centres - distances[:, :2], centres + distances[:, 2:]], axis=1)


def _cell_centres(size: tuple[int, int], stride: int) -> NDArray[np.float32]:
    """(rows * columns, 2) float32: x, y in pixels, row by row."""
    columns, rows = -(-size[0] // stride), -(-size[1] // stride)
    y, x = np.mgrid[:rows, :columns]
    return (np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float32) + np.float32(0.5)) * np.float32(
        stride
    )


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
