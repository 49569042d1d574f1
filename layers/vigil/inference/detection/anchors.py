"""Boxes from offsets to anchors, which are computed for any input size (Liu et al. 2016, SSD)."""

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
