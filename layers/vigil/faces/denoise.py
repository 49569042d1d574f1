"""Noise of a face, estimated and, above a limit, reduced by a bilateral filter."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor

import numpy as np
from msgspec import field
from numpy.typing import NDArray
from PIL import Image

from vigil.inference.card import PositiveInt
from vigil.toml_file import TomlTable

NOISE_PATCH_PX = 96
"""Noise is estimated in a square of at most this side in the middle of a face."""

LAPLACIAN_NOISE_FACTOR = 1 / (6 * 0.6745)
"""A 3×3 mask multiplies the deviation of noise by 6; the median absolute deviation is 0.6745 of one."""


class DenoisingConfig(TomlTable, frozen=True):
    """Table [denoising]: which faces are smoothed, and how.

    min_sigma         lowest noise, as a standard deviation in grey levels, at which a face is smoothed
    radius_px         distance of the farthest neighbours in the average
    spatial_sigma_px  deviation of the weight by distance
    range_sigma       deviation of the weight by difference in brightness, in units of the noise
    face_px           larger faces are first reduced to between once and twice this height
    gain              what smoothing was measured to gain; not used here
    """

    min_sigma: float
    radius_px: PositiveInt
    spatial_sigma_px: float
    range_sigma: float
    face_px: float
    gain: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class ImagePatch:
    """A part of a picture at reduced size.

    image   RGB
    origin  (2,) float32, x and y of its corner in pixels of the picture
    factor  pixels of the picture per pixel of the patch
    """

    image: Image.Image
    origin: NDArray[np.float32]
    factor: float

    def to_patch(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 2) float32, from pixels of the picture to pixels of the patch."""
        return np.asarray((points - self.origin) / np.float32(self.factor), np.float32)

    def to_image(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 2) float32, from pixels of the patch to pixels of the picture."""
        return np.asarray(points * np.float32(self.factor) + self.origin, np.float32)


def denoise_face(image: Image.Image, box: NDArray[np.float32], config: DenoisingConfig) -> ImagePatch:
    """The whole picture if the face has little noise, else the smoothed face with its surroundings.

    image  RGB
    box    (4,) float32, left, top, right, bottom of the face in pixels of `image`
    """
    if estimate_noise(_crop_face_centre(image, box)) < config.min_sigma:
        return ImagePatch(image, np.zeros(2, np.float32), 1)
    patch = _crop_face_with_margin(image, box, config.face_px)
    sigma = estimate_noise(_crop_face_centre(patch.image, patch.to_patch(box.reshape(2, 2)).ravel()))
    return ImagePatch(bilateral_filter(patch.image, sigma, config), patch.origin, patch.factor)


def estimate_noise(image: Image.Image) -> float:
    """Standard deviation of the noise in grey levels (Immerkær 1996, with the median instead of the mean)."""
    grey = np.asarray(image.convert("L"), np.float32)
    if min(grey.shape) < 3:
        return 0.0
    rows = grey[:-2] - 2 * grey[1:-1] + grey[2:]
    deviations = np.abs(rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]).ravel()
    middle = deviations.size // 2
    return float(np.partition(deviations, middle)[middle]) * LAPLACIAN_NOISE_FACTOR


def bilateral_filter(image: Image.Image, sigma: float, config: DenoisingConfig) -> Image.Image:
    """Average each pixel with neighbours that are near and of similar brightness (Tomasi and Manduchi 1998).

    image  RGB
    sigma  standard deviation of the noise in grey levels
    """
    radius = config.radius_px
    pixels = np.asarray(image, np.float32)
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((radius, radius), (radius, radius), (0, 0)), mode="edge")
    grey, padded_grey = pixels.mean(axis=2), padded.mean(axis=2)
    total, weight = np.zeros_like(pixels), np.zeros_like(grey)
    steepness = np.float32(-0.5 / (config.range_sigma * max(sigma, 0.5)) ** 2)
    for down in range(2 * radius + 1):
        for across in range(2 * radius + 1):
            window = slice(down, down + height), slice(across, across + width)
            distance = (down - radius) ** 2 + (across - radius) ** 2
            spatial_exponent = np.float32(-0.5 * distance / config.spatial_sigma_px**2)
            pixel_weight = np.exp((padded_grey[window] - grey) ** 2 * steepness + spatial_exponent)
            total += padded[window] * pixel_weight[:, :, np.newaxis]
            weight += pixel_weight
    mean = total / weight[:, :, np.newaxis]
    return Image.fromarray(np.clip(mean + np.float32(0.5), 0, 255).astype(np.uint8))


def _crop_face_with_margin(image: Image.Image, box: NDArray[np.float32], face_px: float) -> ImagePatch:
    """The face with half its height on each side, reduced to a face height of `face_px` to 2 · `face_px`."""
    height = float(box[3] - box[1])
    edges = _clip_to_image(image, box + np.array([-1, -1, 1, 1], np.float32) * np.float32(height / 2))
    factor = max(1, floor(height / face_px))
    return ImagePatch(image.reduce(factor, edges), np.array(edges[:2], np.float32), factor)


def _crop_face_centre(image: Image.Image, box: NDArray[np.float32]) -> Image.Image:
    """The middle of the face at `box`, (4,) float32 in pixels."""
    half = min(NOISE_PATCH_PX, 0.7 * float(box[2] - box[0]), 0.7 * float(box[3] - box[1])) / 2
    x, y = float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2
    return image.crop(_clip_to_image(image, np.array([x - half, y - half, x + half, y + half], np.float32)))


def _clip_to_image(image: Image.Image, box: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """left, top, right, bottom of the part of a box within the picture, in whole pixels, never empty."""
    left = min(max(0, floor(box[0])), image.width - 1)
    top = min(max(0, floor(box[1])), image.height - 1)
    right = max(left + 1, min(image.width, floor(box[2])))
    bottom = max(top + 1, min(image.height, floor(box[3])))
    return left, top, right, bottom
