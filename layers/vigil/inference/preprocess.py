"""Conversion of an upright RGB picture to the input tensor that a card describes."""

from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.inference.card import Preprocessing

REDUCING_GAP = 1.0
"""Pillow shrinks by a whole factor first (a box filter, many times faster), then resamples."""


def to_tensor(
    image: Image.Image, preprocessing: Preprocessing, size: tuple[int, int] | None = None
) -> NDArray[np.float32]:
    """The input for one picture.

    image    RGB
    size     (width, height) of the input; None for the card's size, or else the picture's
    returns  (1, C, H, W) or (1, H, W, C) float32, as the card's layout says
    """
    target = size or preprocessing.size or image.size
    return pad_to_tensor(resize_to_input(image, preprocessing, target), preprocessing, target)


def pad_to_tensor(
    image: Image.Image, preprocessing: Preprocessing, size: tuple[int, int]
) -> NDArray[np.float32]:
    """The input for a picture that is no larger than `size` (width, height), padded with the card's fill.

    returns  (1, C, H, W) or (1, H, W, C) float32, as the card's layout says
    """
    planes = np.empty((1, len(preprocessing.mean), size[1], size[0]), np.float32)
    if image.size != size:
        planes[:] = _padding_value(preprocessing)
    left, top = padding_px(image.size, size, preprocessing)
    write_normalized(planes[0, :, top : top + image.height, left : left + image.width], image, preprocessing)
    return planes if preprocessing.layout == "nchw" else np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


def padding_px(
    image: tuple[int, int], size: tuple[int, int], preprocessing: Preprocessing
) -> tuple[int, int]:
    """(left, top) of a picture of size `image` within an input of `size`, both (width, height)."""
    if preprocessing.fit != "letterbox":
        return 0, 0
    return (size[0] - image[0]) // 2, (size[1] - image[1]) // 2


def resize_to_input(image: Image.Image, preprocessing: Preprocessing, target: tuple[int, int]) -> Image.Image:
    """The picture at `target` (width, height); with fit "pad" or "letterbox" within it and in proportion."""
    if preprocessing.fit == "crop":
        left, top, right, bottom = cropped_box(image.size, preprocessing, target)
        return _resample(image, target, preprocessing.filter, box=(left, top, right, bottom))
    if preprocessing.filter != "bilinear":
        size = target if preprocessing.fit == "stretch" else size_within(image.size, target)
        return _resample(image, size, preprocessing.filter)
    return downscale(image, target) if preprocessing.fit == "stretch" else resize_within(image, target)


def cropped_box(
    size: tuple[int, int], preprocessing: Preprocessing, target: tuple[int, int]
) -> tuple[float, float, float, float]:
    """left, top, right, bottom of what fit "crop" uses of a picture of `size` (width, height)."""
    factor = max(target[0] / size[0], target[1] / size[1]) / preprocessing.crop_share
    left, top = (size[0] - target[0] / factor) / 2, (size[1] - target[1] / factor) / 2
    return left, top, size[0] - left, size[1] - top


def _resample(
    image: Image.Image,
    target: tuple[int, int],
    name: str,
    box: tuple[float, float, float, float] | None = None,
) -> Image.Image:
    """Only the bilinear filter, whose results depend little on it, is preceded by a reduction."""
    gap = REDUCING_GAP if name == "bilinear" else None
    return image.resize(target, Image.Resampling[name.upper()], box=box, reducing_gap=gap)


def size_within(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of a picture in proportion, as large as fits in `target`."""
    ratio = max(size[0] / target[0], size[1] / target[1])
    width, height = min(target[0], round(size[0] / ratio)), min(target[1], round(size[1] / ratio))
    return max(1, width), max(1, height)


def resize_within(image: Image.Image, target: tuple[int, int]) -> Image.Image:
    """The picture in proportion, as large as fits in `target` (width, height).

    If a whole factor is within two per cent of the exact ratio, the picture is averaged by that factor,
    which takes half the time of resampling.
    """
    ratio = max(image.width / target[0], image.height / target[1])
    if ceil(ratio) <= ratio * 1.02:
        return image.reduce(ceil(ratio))
    return downscale(image, size_within(image.size, target))


def downscale(image: Image.Image, target: tuple[int, int]) -> Image.Image:
    """The picture at `target` (width, height), resampled without aliasing."""
    size = max(1, target[0]), max(1, target[1])
    return (
        image
        if image.size == size
        else image.resize(size, Image.Resampling.BILINEAR, reducing_gap=REDUCING_GAP)
    )


def write_normalized(planes: NDArray[np.float32], image: Image.Image, preprocessing: Preprocessing) -> None:
    """Write (pixel - mean) / scale into `planes`, channel by channel, which is fast in numpy.

    planes  (C, H, W) float32, written
    image   RGB or grey, W × H
    """
    bands = (image.convert("L"),) if preprocessing.channels == "grey" else image.split()
    ordered = bands[::-1] if preprocessing.channels == "bgr" else bands
    for plane, band, mean, scale in zip(
        planes, ordered, preprocessing.mean, preprocessing.scale, strict=True
    ):
        np.subtract(np.asarray(band), np.float32(mean), out=plane)
        np.multiply(plane, np.float32(1 / scale), out=plane)


def _padding_value(preprocessing: Preprocessing) -> NDArray[np.float32]:
    """(C, 1, 1) float32: the normalised fill."""
    mean, scale = np.asarray(preprocessing.mean, np.float32), np.asarray(preprocessing.scale, np.float32)
    return ((np.float32(preprocessing.fill) - mean) / scale)[:, np.newaxis, np.newaxis]
