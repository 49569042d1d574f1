"""Noise in a picture, measured at a face; and the same face with less of it, where that gains enough."""

from dataclasses import dataclass
from math import floor

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.predict.table import Table

PATCH_PX = 96
"""Noise is measured in the middle of a face, in a square of at most this side."""

LINE = 1 / (6 * 0.6745)
"""The 3×3 mask below passes white noise with six times its deviation; a median deviation is 0.6745 of one."""


@dataclass(frozen=True, slots=True)
class Denoising:
    """When and how a card wants faces smoothed.

    from_sigma  the least noise, as a standard deviation in grey levels, that is worth smoothing
    radius_px   neighbours up to this far are averaged
    spread_px   how fast their weight falls with distance
    reach       and with difference in brightness, in units of the noise
    face_px     larger faces are reduced to between this and twice this height first
    """

    from_sigma: float
    radius_px: int
    spread_px: float
    reach: float
    face_px: float

    @classmethod
    def read(cls, card: Table) -> "Denoising":
        return cls(
            from_sigma=card.number("denoising.from_sigma"),
            radius_px=card.whole("denoising.radius_px"),
            spread_px=card.number("denoising.spread_px"),
            reach=card.number("denoising.reach"),
            face_px=card.number("denoising.face_px"),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A piece of a picture: `factor` picture pixels to one of its own, its corner at `origin`."""

    image: Image.Image
    origin: NDArray[np.float32]
    factor: float

    def inward(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 2) from pixels of the picture to pixels of the piece."""
        return np.asarray((points - self.origin) / np.float32(self.factor), np.float32)

    def outward(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 2) from pixels of the piece to pixels of the picture."""
        return np.asarray(points * np.float32(self.factor) + self.origin, np.float32)


def clear(image: Image.Image, box: NDArray[np.float32], settings: Denoising) -> Part:
    """The picture itself where the face is clear; where it is noisy, the face and its surroundings, smoothed.

    image  RGB
    box    (4,) float32, the face, in pixels of `image`
    """
    if noise_of(_middle(image, box)) < settings.from_sigma:
        return Part(image, np.zeros(2, np.float32), 1)
    part = _surroundings(image, box, settings.face_px)
    sigma = noise_of(_middle(part.image, part.inward(box.reshape(2, 2)).ravel()))
    return Part(smoothed(part.image, sigma, settings), part.origin, part.factor)


def noise_of(image: Image.Image) -> float:
    """Standard deviation of the noise, in grey levels: what planes and edges leave of the grey (Immerkær)."""
    grey = np.asarray(image.convert("L"), np.float32)
    if min(grey.shape) < 3:
        return 0.0
    rows = grey[:-2] - 2 * grey[1:-1] + grey[2:]
    left = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
    return float(np.median(np.abs(left))) * LINE


def smoothed(image: Image.Image, sigma: float, settings: Denoising) -> Image.Image:
    """The picture with each pixel averaged with neighbours that are near and alike (a bilateral filter).

    sigma  of the noise, in grey levels
    """
    radius = settings.radius_px
    pixels = np.asarray(image, np.float32)
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((radius, radius), (radius, radius), (0, 0)), mode="edge")
    grey, around = pixels.mean(axis=2), padded.mean(axis=2)
    total, weight = np.zeros_like(pixels), np.zeros_like(grey)
    steepness = np.float32(-0.5 / (settings.reach * max(sigma, 0.5)) ** 2)
    for down in range(2 * radius + 1):
        for across in range(2 * radius + 1):
            window = slice(down, down + height), slice(across, across + width)
            distance = (down - radius) ** 2 + (across - radius) ** 2
            near = np.float32(-0.5 * distance / settings.spread_px**2)
            share = np.exp((around[window] - grey) ** 2 * steepness + near)
            total += padded[window] * share[:, :, np.newaxis]
            weight += share
    mean = total / weight[:, :, np.newaxis]
    return Image.fromarray(np.clip(mean + np.float32(0.5), 0, 255).astype(np.uint8))


def _surroundings(image: Image.Image, box: NDArray[np.float32], face_px: float) -> Part:
    """The face and half its height around it, with `face_px` to twice that many pixels for its height."""
    height = float(box[3] - box[1])
    edges = _crop(image, box + np.array([-1, -1, 1, 1], np.float32) * np.float32(height / 2))
    factor = max(1, floor(height / face_px))
    return Part(image.reduce(factor, edges), np.array(edges[:2], np.float32), factor)


def _middle(image: Image.Image, box: NDArray[np.float32]) -> Image.Image:
    """The middle of a face."""
    half = min(PATCH_PX, 0.7 * float(box[2] - box[0]), 0.7 * float(box[3] - box[1])) / 2
    x, y = float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2
    return image.crop(_crop(image, np.array([x - half, y - half, x + half, y + half], np.float32)))


def _crop(image: Image.Image, box: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """The part of a box within the picture, in whole pixels, of one pixel at least."""
    left = min(max(0, floor(box[0])), image.width - 1)
    top = min(max(0, floor(box[1])), image.height - 1)
    right = max(left + 1, min(image.width, floor(box[2])))
    bottom = max(top + 1, min(image.height, floor(box[3])))
    return left, top, right, bottom
