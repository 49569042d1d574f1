"""The anchor boxes of an SSD-style detector for any input size, and boxes from offsets to them."""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from vigil.predict.table import Table


@dataclass(frozen=True, slots=True)
class Anchors:
    """Per stride, the sides in pixels of the squares around every cell's centre."""

    strides: tuple[int, ...]
    min_sizes: tuple[tuple[float, ...], ...]
    centre_variance: float
    size_variance: float

    @classmethod
    def read(cls, card: Table) -> "Anchors":
        return cls(
            strides=tuple(int(stride) for stride in card.numbers("anchors.strides")),
            min_sizes=card.rows("anchors.min_sizes"),
            centre_variance=card.number("output.centre_variance"),
            size_variance=card.number("output.size_variance"),
        )

    def grid(self, size: tuple[int, int]) -> NDArray[np.float32]:
        """All anchors of an input of `size` (width, height).

        returns  (N, 4) float32: centre x, centre y, width, height, each clipped to 0..1 of the input
        """
        layers = [
            _layer(size, stride, sides) for stride, sides in zip(self.strides, self.min_sizes, strict=True)
        ]
        return np.clip(np.concatenate(layers), 0, 1).astype(np.float32)


def decode(
    offsets: NDArray[np.float32], anchors: NDArray[np.float32], settings: Anchors
) -> NDArray[np.float32]:
    """Boxes from a network's offsets to anchors.

    offsets  (N, 4) float32: shift of the centre, log growth of the size, in anchor sizes over variance
    anchors  (N, 4) float32, as `grid` gives them
    returns  (N, 4) float32: left, top, right, bottom in 0..1 of the input, not clipped
    """
    centre = offsets[:, :2] * np.float32(settings.centre_variance) * anchors[:, 2:] + anchors[:, :2]
    half = np.exp(offsets[:, 2:] * np.float32(settings.size_variance)) * anchors[:, 2:] / np.float32(2)
    return np.concatenate([centre - half, centre + half], axis=1)


def _layer(size: tuple[int, int], stride: int, sides: tuple[float, ...]) -> NDArray[np.float64]:
    """(rows * columns * sides, 4): row by row, cell by cell, side by side."""
    columns, rows = ceil(size[0] / stride), ceil(size[1] / stride)
    y, x, side = np.meshgrid(
        (np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns, np.asarray(sides), indexing="ij"
    )
    return np.stack([x, y, side / size[0], side / size[1]], axis=-1).reshape(-1, 4)
