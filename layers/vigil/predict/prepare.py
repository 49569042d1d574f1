"""An upright RGB picture becomes the tensor that a card describes."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.predict.card import Preparation

GAP = 1.0
"""Shrink by whole factors first (a box filter, many times faster), then resample what is left."""


def tensor(
    image: Image.Image, preparation: Preparation, size: tuple[int, int] | None = None
) -> NDArray[np.float32]:
    """One network input.

    image    RGB
    size     (width, height) of the input, where the card leaves it open
    returns  (1, C, H, W) or (1, H, W, C) float32, as the card's layout says
    """
    target = size or preparation.size or image.size
    depth = 1 if preparation.channels == "grey" else 3
    planes = np.empty((1, depth, target[1], target[0]), np.float32)
    fitted = fit(image, preparation, target)
    if fitted.size != target:
        planes[:] = _ground(preparation)
    fill(planes[0, :, : fitted.height, : fitted.width], fitted, preparation)
    return planes if preparation.layout == "nchw" else np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


def fit(image: Image.Image, preparation: Preparation, target: tuple[int, int]) -> Image.Image:
    """The picture at the network's size; with "pad", no larger than it and in proportion."""
    if preparation.fit == "stretch":
        return shrunk(image, target)
    width, height = image.size
    across, down = target[0] / width, target[1] / height
    if preparation.fit == "pad":
        factor = min(across, down)
        return shrunk(image, (min(target[0], round(width * factor)), min(target[1], round(height * factor))))
    factor = max(across, down)
    left, top = (width - target[0] / factor) / 2, (height - target[1] / factor) / 2
    return image.resize(
        target, Image.Resampling.BILINEAR, box=(left, top, width - left, height - top), reducing_gap=GAP
    )


def shrunk(image: Image.Image, target: tuple[int, int]) -> Image.Image:
    """The picture at `target` (width, height), smoothed as it shrinks, so that nothing aliases."""
    size = max(1, target[0]), max(1, target[1])
    return image if image.size == size else image.resize(size, Image.Resampling.BILINEAR, reducing_gap=GAP)


def fill(planes: NDArray[np.float32], image: Image.Image, preparation: Preparation) -> None:
    """Write (pixel - mean) / scale into `planes`, without intermediate copies of its size.

    planes  (C, H, W) float32, written
    image   RGB or grey, W x H
    """
    pixels = (
        np.asarray(image.convert("L"))[:, :, np.newaxis]
        if preparation.channels == "grey"
        else np.asarray(image)
    )
    ordered = pixels[:, :, ::-1] if preparation.channels == "bgr" else pixels
    values = ordered.astype(np.float32)
    values -= np.asarray(preparation.mean, np.float32)
    values *= np.float32(1) / np.asarray(preparation.scale, np.float32)
    planes[:] = values.transpose(2, 0, 1)


def _ground(preparation: Preparation) -> NDArray[np.float32]:
    """(C, 1, 1): what the padding becomes."""
    mean, scale = np.asarray(preparation.mean, np.float32), np.asarray(preparation.scale, np.float32)
    return ((np.float32(preparation.fill) - mean) / scale)[:, np.newaxis, np.newaxis]
