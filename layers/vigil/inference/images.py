"""Pictures from bytes: decoded upright as 8-bit RGB, or rejected with a reason; and thumbnails of them.

No other module of the product opens a picture, so that no error of Pillow leaves this one.
"""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageFile, UnidentifiedImageError

from vigil.errors import EmptyFile, NotAnImage, TooManyPixels, TruncatedImage
from vigil.inference.card import InputLimits
from vigil.inference.pixels import (
    BIG_ENDIAN_TIFF,
    FULL_COLOUR_DEPTH,
    colour_depth,
    orient,
    register_tiff_modes,
    scale_colour,
    stretched_size,
    tiles_of_low_bytes,
    to_rgb,
)
from vigil.inference.structure_limits import FileReader, check_metadata, check_scans
from vigil.inference.types import Box

PILLOW_ERRORS: Final = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)
"""What Pillow raises for damaged and for unusual files; its plugins let errors of any kind through."""

NO_FORMAT_ERRORS = (UnidentifiedImageError, KeyError)
"""What Pillow raises if no format fits; KeyError for MPO, which its plugin for JPEG opens."""


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

    The content decides the format. Pixels, scans and parts are counted before any pixel is decoded. A
    picture whose file states pixels that are not square is stretched. Raises EmptyFile, NotAnImage,
    TruncatedImage, TooManyPixels or TooManyParts.
    """
    if not data:
        raise EmptyFile("the file has no bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decode(data, limits, side_px)
    except Image.DecompressionBombError as error:
        raise TooManyPixels(f"far more pixels than the limit of {limits.max_pixels:,}") from error
    except PILLOW_ERRORS as error:
        if isinstance(error, NO_FORMAT_ERRORS) and not _has_known_signature(data, limits):
            raise NotAnImage(f"not a picture in any of {', '.join(limits.formats)}") from error
        raise TruncatedImage(f"the picture breaks off or is damaged: {error}") from error


def _decode(data: bytes, limits: InputLimits, side_px: int | None) -> DecodedImage:
    check_metadata(data)
    image = _open(data, limits)
    width, height = image.size
    if width * height > limits.max_pixels:
        raise TooManyPixels(f"{width}×{height} pixels; the limit is {limits.max_pixels:,}")
    check_scans(data, image)
    if side_px is not None and image.format == "JPEG":
        factor = side_px / max(width, height)
        image.draft("RGB", (max(1, round(width * factor)), max(1, round(height * factor))))
    low_bytes = tiles_of_low_bytes(image)
    image.load()
    full_size = stretched_size(image, (width, height), limits.max_pixels)
    rgb = to_rgb(image, data, limits.background_grey)
    depth = colour_depth(rgb) if low_bytes else FULL_COLOUR_DEPTH
    if depth < FULL_COLOUR_DEPTH:
        again = _open(data, limits)
        again.tile = low_bytes
        rgb = scale_colour(rgb, again, depth)
    if full_size != (width, height):
        across, down = full_size[0] / width, full_size[1] / height
        rgb = rgb.resize((max(1, round(rgb.width * across)), max(1, round(rgb.height * down))))
    upright, is_transposed = orient(rgb, image.getexif())
    return DecodedImage(upright, full_size[::-1] if is_transposed else full_size)


def _open(data: bytes, limits: InputLimits) -> ImageFile.ImageFile:
    if data.startswith(BIG_ENDIAN_TIFF):
        register_tiff_modes()
    return Image.open(FileReader(data), formats=limits.formats)


def _has_known_signature(data: bytes, limits: InputLimits) -> bool:
    """Whether the data begins like a format that the card accepts: its header breaks off or is damaged."""
    tests = (Image.OPEN[name][1] for name in limits.formats if name in Image.OPEN)
    return any(test is not None and test(data[:16]) is True for test in tests)


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
