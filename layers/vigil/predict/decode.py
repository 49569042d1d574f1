"""A file's bytes become one upright RGB picture, or a named refusal; no other error comes out of here."""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass

from PIL import Image, ImageOps

from vigil.errors import EmptyFile, NotAnImage, TooManyPixels, TruncatedImage
from vigil.predict.card import Accepts
from vigil.predict.colour import to_rgb

BROKEN = (
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

ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An upright RGB picture, perhaps unpacked smaller than it was taken.

    image    what was unpacked
    size_px  (width, height) of the upright picture at full size
    """

    image: Image.Image
    size_px: tuple[int, int]

    @property
    def shrink(self) -> tuple[float, float]:
        """How many full-size pixels one pixel of `image` stands for, across and down."""
        return self.size_px[0] / self.image.width, self.size_px[1] / self.image.height


def decode(data: bytes, accepts: Accepts, *, side_px: int | None = None) -> Picture:
    """Unpack a picture; of an animation its first frame.

    side_px  lets a JPEG be unpacked at 1/2, 1/4 or 1/8 while its longer side stays at least this,
             which costs a fraction of the time; None for full size

    Pixels are counted from the header, before any is unpacked. Raises EmptyFile, NotAnImage,
    TruncatedImage or TooManyPixels.
    """
    image = _open(data, accepts)
    width, height = image.size
    if width * height > accepts.max_pixels:
        raise TooManyPixels(f"{width}×{height} pixels; the limit is {accepts.max_pixels:,}")
    if side_px is not None and image.format == "JPEG":
        factor = side_px / max(width, height)
        image.draft("RGB", (round(width * factor), round(height * factor)))
    upright = _load(image, accepts)
    turned = (upright.width > upright.height) != (width > height) and upright.width != upright.height
    return Picture(upright, (height, width) if turned else (width, height))


def _open(data: bytes, accepts: Accepts) -> Image.Image:
    """Read the header only. A beginning that one of our formats has, and no more, is a truncated picture."""
    if not data:
        raise EmptyFile("the file has no bytes")
    try:
        return _identify(data, accepts)
    except Image.DecompressionBombError as error:
        raise TooManyPixels(f"far more pixels than the limit of {accepts.max_pixels:,}") from error
    except BROKEN as error:
        if _begins_well(data, accepts):
            raise TruncatedImage("the picture's header breaks off or is damaged") from error
        raise NotAnImage(f"not a picture in any of {', '.join(accepts.formats)}") from error


def _identify(data: bytes, accepts: Accepts) -> Image.Image:
    """Pillow's own warning of many pixels is silenced: the card's limit is checked instead."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Image.open(io.BytesIO(data), formats=accepts.formats)


def _begins_well(data: bytes, accepts: Accepts) -> bool:
    """Whether the first bytes are those of a format that the card accepts."""
    tests = (Image.OPEN[name][1] for name in accepts.formats if name in Image.OPEN)
    return any(test is not None and test(data[:16]) is True for test in tests)


def _load(image: Image.Image, accepts: Accepts) -> Image.Image:
    try:
        return _unpacked(image, accepts.ground)
    except Image.DecompressionBombError as error:
        raise TooManyPixels(f"far more pixels than the limit of {accepts.max_pixels:,}") from error
    except BROKEN as error:
        raise TruncatedImage(f"the picture breaks off: {error}") from error


def _unpacked(image: Image.Image, ground: int) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image.load()
        rgb = to_rgb(image, ground)
        turn = image.getexif().get(ORIENTATION, 1)
    if turn in (None, 1):
        return rgb
    rgb.getexif()[ORIENTATION] = turn
    return ImageOps.exif_transpose(rgb)
