"""Pictures from bytes: decoded upright as 8-bit RGB, or rejected with a reason; and thumbnails of them."""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from vigil.errors import EmptyFile, NotAnImage, TooManyPixels, TruncatedImage
from vigil.inference.card import InputLimits
from vigil.inference.types import Box

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
"""What Pillow raises for damaged files (UnidentifiedImageError is an OSError)."""

EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """An upright RGB picture, possibly decoded at a reduced size.

    image    RGB, 8 bits a channel
    size_px  (width, height) of the upright picture at full size
    """

    image: Image.Image
    size_px: tuple[int, int]

    @property
    def scale(self) -> tuple[float, float]:
        """Full-size pixels per pixel of `image`, horizontally and vertically."""
        return self.size_px[0] / self.image.width, self.size_px[1] / self.image.height


def decode_image(data: bytes, limits: InputLimits, *, side_px: int | None = None) -> DecodedImage:
    """Decode a picture, or the first frame of an animation.

    side_px  decode a JPEG at 1/2, 1/4 or 1/8 while its longer side stays at least this long, which is
             several times faster; None for full size

    The pixels are counted from the header before any is decoded. Raises EmptyFile, NotAnImage,
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
    """Read the header only. A known signature with a damaged header is a truncated picture."""
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
    """Pillow's warning of many pixels is suppressed, as the card's limit is checked instead."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Image.open(io.BytesIO(data), formats=limits.formats)


def _has_known_signature(data: bytes, limits: InputLimits) -> bool:
    """Whether the data begins like a format that the card accepts."""
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


def to_rgb(image: Image.Image, background_grey: int) -> Image.Image:
    """The picture as RGB with 8 bits a channel; the same object if it is RGB already.

    background_grey  grey level, 0..255, behind transparent pixels
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
    """Scale 16-bit grey by its full range, and other deep formats by their darkest and brightest pixel."""
    values = np.asarray(image).astype(np.float32)
    low, high = (0.0, 65535.0) if image.mode.startswith("I;16") else _value_range(values)
    grey = np.clip((values - low) * (255 / max(high - low, 1e-12)) + 0.5, 0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _value_range(values: NDArray[np.float32]) -> tuple[float, float]:
    """The lowest and highest finite value; 32-bit values that fit in 16 bits use the 16-bit range.

    values  (H, W) float32
    """
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low >= 0 and 255 < high <= 65535:
        return 0.0, 65535.0
    return low, high


THUMBNAIL_SIDE_PX = 320
"""Maximum of the longer side; small pictures are not enlarged."""

THUMBNAIL_MARGIN = 0.4
"""Share of a box's width and height that is added on each side."""

THUMBNAIL_JPEG_QUALITY = 80


def create_thumbnail(data: bytes, limits: InputLimits, box_px: Box | None = None) -> bytes:
    """A small JPEG of the upright photo, or of a box in it with a margin.

    box_px  in pixels of the upright photo at full size

    Metadata (EXIF, XMP, comments) is removed. Raises what `decode_image` raises.
    """
    picture = decode_image(data, limits, side_px=None if box_px else THUMBNAIL_SIDE_PX)
    image = picture.image.crop(_box_with_margin(box_px, picture)) if box_px else picture.image
    image.thumbnail((THUMBNAIL_SIDE_PX, THUMBNAIL_SIDE_PX), reducing_gap=2.0)
    pixels = Image.frombytes(image.mode, image.size, image.tobytes())
    out = io.BytesIO()
    pixels.save(out, "JPEG", quality=THUMBNAIL_JPEG_QUALITY, optimize=True)
    return out.getvalue()


def _box_with_margin(box_px: Box, picture: DecodedImage) -> tuple[int, int, int, int]:
    """left, top, right, bottom of the box with its margin, clipped to the picture, never empty."""
    left, top, right, bottom = box_px
    width, height = picture.image.size
    margin_x, margin_y = (right - left) * THUMBNAIL_MARGIN, (bottom - top) * THUMBNAIL_MARGIN
    from_left = min(max(0, round(left - margin_x)), width - 1)
    from_top = min(max(0, round(top - margin_y)), height - 1)
    to_right = max(from_left + 1, min(width, round(right + margin_x)))
    to_bottom = max(from_top + 1, min(height, round(bottom + margin_y)))
    return from_left, from_top, to_right, to_bottom
