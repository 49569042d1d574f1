"""Frames of a video: their perceptual hash, sharpness and brightness, and the JPEG file that they become."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.faces.denoise import NOISE_PATCH_PX, DenoisingConfig, bilateral_filter, estimate_noise

HASH_COLUMNS, HASH_ROWS = 16, 16
HASH_BITS = HASH_COLUMNS * HASH_ROWS
MIN_STEP = 3
"""Neighbouring cells of a hash differ if one is brighter by more grey levels than this: noise is not."""

DARK_LEVEL = 60.0
"""A frame whose mean grey level is lower is dark: its noise is reduced."""

DENOISING = DenoisingConfig(min_sigma=3.0, radius_px=2, spatial_sigma_px=1.5, range_sigma=3.0, face_px=0)
"""Like the filter of the card `faces`, for whole frames."""

JPEG_QUALITY = 92


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded frame.

    number    in the video, from 0
    time_s    since the beginning of the video
    grey      (h, w) uint8, the frame reduced to a width of about 320
    to_image  makes the upright picture at full size, RGB
    """

    number: int
    time_s: float
    grey: NDArray[np.uint8]
    to_image: Callable[[], Image.Image]


def perceptual_hash(grey: NDArray[np.uint8]) -> bytes:
    """HASH_BITS bits that are similar for similar pictures: where the brightness falls from left to right.

    grey  (h, w) uint8
    """
    reduced = Image.fromarray(grey).resize((HASH_COLUMNS + 1, HASH_ROWS), Image.Resampling.BOX)
    cells = np.asarray(reduced, np.int16)
    return np.packbits(cells[:, :-1] - cells[:, 1:] > MIN_STEP).tobytes()


def hash_distance(first: bytes, second: bytes) -> int:
    """The number of bits in which two hashes differ, 0 to HASH_BITS."""
    return (int.from_bytes(first) ^ int.from_bytes(second)).bit_count()


def measure_sharpness(grey: NDArray[np.uint8]) -> float:
    """The variance of the Laplacian of a picture, (h, w) uint8; lower when it is blurred by movement."""
    pixels = grey.astype(np.float32)
    inner = pixels[1:-1, 1:-1]
    sides = pixels[:-2, 1:-1] + pixels[2:, 1:-1] + pixels[1:-1, :-2] + pixels[1:-1, 2:]
    return float((sides - 4 * inner).var())


def encode_frame(frame: Frame) -> bytes:
    """The frame as a JPEG file; the noise of a dark frame is reduced first."""
    image = frame.to_image()
    if frame.grey.mean() < DARK_LEVEL:
        sigma = estimate_noise(_centre(image))
        if sigma >= DENOISING.min_sigma:
            image = bilateral_filter(image, sigma, DENOISING)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _centre(image: Image.Image) -> Image.Image:
    """A patch in the middle, where noise is estimated."""
    left, top = max(0, image.width - NOISE_PATCH_PX) // 2, max(0, image.height - NOISE_PATCH_PX) // 2
    right, bottom = min(image.width, left + NOISE_PATCH_PX), min(image.height, top + NOISE_PATCH_PX)
    return image.crop((left, top, right, bottom))
