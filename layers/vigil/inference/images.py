"""Every pixel format that Pillow unpacks, as RGB."""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from vigil.errors import (
    EmptyFile,
    NotAnImage,
    TooManyPixels,
    TruncatedImage,
)
from vigil.inference.card import InputLimits
from vigil.inference.types import Box


def to_rgb(image: Image.Image, background_grey: int) -> Image.Image:
    """RGB, 8 bits a channel; the same object where it already is.

    ground  grey level, 0..255, behind transparent pixels
    """
    if image.mode == "RGB":
        return image
    if image.mode.startswith(("I", "F")):
        return _scale_to_8_bit(image)
    if image.has_transparency_data:
        return _flatten_transparency(image.convert("RGBA"), background_grey)
    return image.convert("RGB")


def _flatten_transparency(image: Image.Image, background_grey: int) -> Image.Image:
    canvas = Image.new("RGBA", image.size, (background_grey, background_grey, background_grey, 255))
    canvas.alpha_composite(image)
    return canvas.convert("RGB")


def _scale_to_8_bit(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits: 16-bit by its range, anything else by its own darkest and brightest pixel."""
    values = np.asarray(image).astype(np.float32)
    low, high = (0.0, 65535.0) if image.mode.startswith("I;16") else _value_range(values)
    grey = np.clip((values - low) * (255 / max(high - low, 1e-12)) + 0.5, 0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _value_range(values: NDArray[np.float32]) -> tuple[float, float]:
    """Darkest and brightest finite value; a 32-bit picture that holds 16 bits keeps their scale."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low >= 0 and 255 < high <= 65535:
        return 0.0, 65535.0
    return low, high


# MERGED: A file's bytes become one upright RGB picture, or a named refusal; no other error comes out of here.

PILLOW_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    struct.error,
    zlib.error,
)
"""All that Pillow was seen to raise on damaged files (UnidentifiedImageError is an OSError)."""

EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """An upright RGB picture, perhaps unpacked smaller than it was taken.

    image    what was unpacked
    size_px  (width, height) of the upright picture at full size
    """

    image: Image.Image
    size_px: tuple[int, int]

    @property
    def scale(self) -> tuple[float, float]:
        """How many full-size pixels one pixel of `image` stands for, across and down."""
        return self.size_px[0] / self.image.width, self.size_px[1] / self.image.height


def decode_image(data: bytes, limits: InputLimits, *, side_px: int | None = None) -> DecodedImage:
    """Unpack a picture; of an animation its first frame.

    side_px  lets a JPEG be unpacked at 1/2, 1/4 or 1/8 while its longer side stays at least this,
             which costs a fraction of the time; None for full size

    Pixels are counted from the header, before any is unpacked. Raises EmptyFile, NotAnImage,
    TruncatedImage or TooManyPixels.
    """
    image = _open_image(data, limits)
    width, height = image.size
    if width * height > limits.max_pixels:
        raise TooManyPixels(f"{width}×{height} pixels; the limit is {limits.max_pixels:,}")
    if side_px is not None and image.format == "JPEG":
        factor = side_px / max(width, height)
        image.draft("RGB", (round(width * factor), round(height * factor)))
    upright = _load_pixels(image, limits)
    is_transposed = (upright.width > upright.height) != (width > height) and upright.width != upright.height
    return DecodedImage(upright, (height, width) if is_transposed else (width, height))


def _open_image(data: bytes, limits: InputLimits) -> Image.Image:
    """Read the header only. A beginning that one of our formats has, and no more, is a truncated picture."""
    if not data:
        raise EmptyFile("the file has no bytes")
    try:
        return _read_header(data, limits)
    except Image.DecompressionBombError as error:
        raise TooManyPixels(f"far more pixels than the limit of {limits.max_pixels:,}") from error
    except PILLOW_ERRORS as error:
        if _has_known_signature(data, limits):
            raise TruncatedImage("the picture's header breaks off or is damaged") from error
        raise NotAnImage(f"not a picture in any of {', '.join(limits.formats)}") from error


def _read_header(data: bytes, limits: InputLimits) -> Image.Image:
    """Pillow's own warning of many pixels is silenced: the card's limit is checked instead."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Image.open(io.BytesIO(data), formats=limits.formats)


def _has_known_signature(data: bytes, limits: InputLimits) -> bool:
    """Whether the first bytes are those of a format that the card accepts."""
    tests = (Image.OPEN[name][1] for name in limits.formats if name in Image.OPEN)
    return any(test is not None and test(data[:16]) is True for test in tests)


def _load_pixels(image: Image.Image, limits: InputLimits) -> Image.Image:
    try:
        return _to_upright_rgb(image, limits.background_grey)
    except Image.DecompressionBombError as error:
        raise TooManyPixels(f"far more pixels than the limit of {limits.max_pixels:,}") from error
    except PILLOW_ERRORS as error:
        raise TruncatedImage(f"the picture breaks off: {error}") from error


def _to_upright_rgb(image: Image.Image, background_grey: int) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image.load()
        rgb = to_rgb(image, background_grey)
        orientation = image.getexif().get(EXIF_ORIENTATION, 1)
    if orientation in (None, 1):
        return rgb
    rgb.getexif()[EXIF_ORIENTATION] = orientation
    return ImageOps.exif_transpose(rgb)


# MERGED: A photo's bytes become a small JPEG of it, or of a part of it, that holds pixels and nothing else.

THUMBNAIL_SIDE_PX = 320
"""The longer side of a thumbnail at most; nothing is enlarged."""

THUMBNAIL_MARGIN = 0.4
"""Of a part's own width and height, shown on each side of it."""

THUMBNAIL_JPEG_QUALITY = 80


def create_thumbnail(data: bytes, limits: InputLimits, box_px: Box | None = None) -> bytes:
    """A JPEG of the upright photo, or of what is in a box and a little around it.

    Where the photo was taken, by what and when (EXIF, XMP, comments) does not pass: only pixels do.
    Raises whatever `decode` does.
    """
    picture = decode_image(data, limits, side_px=None if box_px else THUMBNAIL_SIDE_PX)
    image = picture.image.crop(_box_with_margin(box_px, picture)) if box_px else picture.image
    image.thumbnail((THUMBNAIL_SIDE_PX, THUMBNAIL_SIDE_PX), reducing_gap=2.0)
    pixels = Image.frombytes(image.mode, image.size, image.tobytes())
    out = io.BytesIO()
    pixels.save(out, "JPEG", quality=THUMBNAIL_JPEG_QUALITY, optimize=True)
    return out.getvalue()


def _box_with_margin(box_px: Box, picture: DecodedImage) -> tuple[int, int, int, int]:
    """The box with what is around it, in whole pixels of the picture, never empty."""
    left, top, right, bottom = box_px
    width, height = picture.image.size
    margin_x, margin_y = (right - left) * THUMBNAIL_MARGIN, (bottom - top) * THUMBNAIL_MARGIN
    from_left = min(max(0, round(left - margin_x)), width - 1)
    from_top = min(max(0, round(top - margin_y)), height - 1)
    to_right = max(from_left + 1, min(width, round(right + margin_x)))
    to_bottom = max(from_top + 1, min(height, round(bottom + margin_y)))
    return from_left, from_top, to_right, to_bottom
