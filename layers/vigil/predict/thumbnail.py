"""A photo's bytes become a small JPEG of it, or of a part of it, that holds pixels and nothing else."""

import io

from PIL import Image

from vigil.predict.card import Accepts
from vigil.predict.decode import Picture, decode
from vigil.seeing import Box

SIDE_PX = 320
"""The longer side of a thumbnail at most; nothing is enlarged."""

AROUND = 0.4
"""Of a part's own width and height, shown on each side of it."""

QUALITY = 80


def thumbnail(data: bytes, accepts: Accepts, box_px: Box | None = None) -> bytes:
    """A JPEG of the upright photo, or of what is in a box and a little around it.

    Where the photo was taken, by what and when (EXIF, XMP, comments) does not pass: only pixels do.
    Raises whatever `decode` does.
    """
    picture = decode(data, accepts, side_px=None if box_px else SIDE_PX)
    image = picture.image.crop(_around(box_px, picture)) if box_px else picture.image
    image.thumbnail((SIDE_PX, SIDE_PX), reducing_gap=2.0)
    pixels = Image.frombytes(image.mode, image.size, image.tobytes())
    out = io.BytesIO()
    pixels.save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue()


def _around(box_px: Box, picture: Picture) -> tuple[int, int, int, int]:
    """The box with what is around it, in whole pixels of the picture, never empty."""
    left, top, right, bottom = box_px
    wide, high = picture.image.size
    aside, above = (right - left) * AROUND, (bottom - top) * AROUND
    from_left = min(max(0, round(left - aside)), wide - 1)
    from_top = min(max(0, round(top - above)), high - 1)
    to_right = max(from_left + 1, min(wide, round(right + aside)))
    to_bottom = max(from_top + 1, min(high, round(bottom + above)))
    return from_left, from_top, to_right, to_bottom
