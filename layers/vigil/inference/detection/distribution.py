"""Boxes from distributions over the distances to their sides (Li et al. 2020, generalised focal loss)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def decode_distributions(
    sides: Sequence[NDArray[np.float32]], size: tuple[int, int], strides: Sequence[int]
) -> NDArray[np.float32]:
    """The boxes of all cells, scale by scale, row by row.

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
