"""The pixels of a decoded picture as 8-bit RGB, in the proportions and the orientation of its file."""

import math
import sys

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

EXIF_ORIENTATION, EXIF_X_RESOLUTION, EXIF_Y_RESOLUTION = 0x0112, 0x011A, 0x011B
TIFF_BITS_PER_SAMPLE, TIFF_PHOTOMETRIC, MIN_IS_WHITE = 258, 262, 0

TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by its EXIF orientation."""

FIRST_TRANSPOSED = 5
"""From this EXIF orientation on, width and height change places."""

MIN_STRETCH, MAX_STRETCH = 1.05, 4.0
"""Ratios of pixel densities that are taken for true; smaller ones do not matter, larger ones are mistakes."""


def stretched_size(image: Image.Image, size: tuple[int, int], max_pixels: int) -> tuple[int, int]:
    """(width, height) of a stored picture of `size` with square pixels.

    The shorter direction grows, as in a field of interlaced video at half its height; if the picture would
    have too many pixels, the other direction shrinks.
    """
    (width, height), ratio = size, _pixel_proportion(image)
    if ratio == 1:
        return size
    larger = (width, round(height * ratio)) if ratio > 1 else (round(width / ratio), height)
    if math.prod(larger) <= max_pixels:
        return larger
    return max(1, round(width / max(ratio, 1))), max(1, round(height * min(ratio, 1)))


def _pixel_proportion(image: Image.Image) -> float:
    """Height of a pixel relative to its width; 1 if no statement says that pixels are not square.

    JFIF, PNG, BMP and TIFF state densities, with or without a unit; EXIF may be in any format.
    """
    exif = image.getexif()
    densities = [image.info.get(key) for key in ("jfif_density", "aspect", "dpi")]
    densities.append((exif.get(EXIF_X_RESOLUTION), exif.get(EXIF_Y_RESOLUTION)))
    for density in densities:
        try:
            across, down = map(float, density or ())
            ratio = across / down
        except (TypeError, ValueError, ArithmeticError):
            continue
        if MIN_STRETCH <= max(ratio, 1 / ratio if ratio else 0) <= MAX_STRETCH:
            return ratio
    return 1.0


def orient(image: Image.Image, exif: Image.Exif) -> tuple[Image.Image, bool]:
    """The picture turned upright, and whether width and height changed places."""
    orientation = exif.get(EXIF_ORIENTATION)
    if orientation not in TRANSPOSITIONS:
        return image, False
    return image.transpose(TRANSPOSITIONS[orientation]), orientation >= FIRST_TRANSPOSED


def to_rgb(image: Image.Image, data: bytes, background_grey: int) -> Image.Image:
    """The picture as RGB with 8 bits a channel; the same object if it is RGB already.

    data             the file, for what Pillow does not read of it
    background_grey  grey level, 0..255, behind transparent pixels
    """
    if image.mode == "RGB":
        return image
    if image.mode.startswith(("I", "F")):
        return _deep_grey_to_rgb(image, data)
    if image.has_transparency_data:
        return _flatten_transparency(image.convert("RGBA"), background_grey)
    return image.convert("RGB")


def _flatten_transparency(image: Image.Image, background_grey: int) -> Image.Image:
    canvas = Image.new("RGBA", image.size, (background_grey, background_grey, background_grey, 255))
    canvas.alpha_composite(image)
    return canvas.convert("RGB")


GREY_DEPTHS = (8, 10, 12, 14, 16)
"""Bits of grey that cameras store in 16-bit files, in the lower bits."""

IGNORED_SHARE_PERCENT = 0.1
"""The brightest and darkest pixels that do not decide the range: a sensor has hot pixels."""

SAMPLED_PIXELS = 1_000_000


def _deep_grey_to_rgb(image: Image.Image, data: bytes) -> Image.Image:
    """Grey of more than 8 bits, scaled by its depth, or by its range if it has no depth."""
    values = np.asarray(image)
    low, high = _value_range(values)
    if values.dtype.kind in "iu" and low >= 0 and high < 2**16:
        low, high = 0.0, float(2 ** _grey_depth(image, data, high) - 1)
    grey = np.concatenate([_scale_rows(rows, low, high) for rows in np.array_split(values, _blocks(values))])
    tags = getattr(image, "tag_v2", {})
    if tags.get(TIFF_PHOTOMETRIC) == MIN_IS_WHITE:
        grey = np.uint8(255) - grey
    return Image.fromarray(grey).convert("RGB")


def _grey_depth(image: Image.Image, data: bytes, high: float) -> int:
    """The smallest usual depth that holds `high`, and not less than the depth that the file states."""
    needed = next(depth for depth in GREY_DEPTHS if high < 2**depth)
    stated = _stated_depth(image, data)
    return max(needed, stated) if stated in GREY_DEPTHS[:-1] else needed


def _stated_depth(image: Image.Image, data: bytes) -> int:
    """BitsPerSample of a TIFF, sBIT of a PNG; 0 if nothing is stated."""
    if image.format == "TIFF":
        return int(getattr(image, "tag_v2", {}).get(TIFF_BITS_PER_SAMPLE, (0,))[0])
    place = data.find(b"sBIT", 0, max(0, data.find(b"IDAT"))) if image.format == "PNG" else -1
    return data[place + 4] if place >= 0 else 0


def _value_range(values: NDArray[np.generic]) -> tuple[float, float]:
    """The lowest and highest finite value without the share of outliers.

    values  (H, W), integers or floats
    """
    sample = values.ravel()[:: max(1, values.size // SAMPLED_PIXELS)].astype(np.float64)
    finite = sample[np.isfinite(sample)]
    if not finite.size:
        return 0.0, 1.0
    bounds = np.percentile(finite, [IGNORED_SHARE_PERCENT, 100 - IGNORED_SHARE_PERCENT])
    low, high = (float(bound) for bound in bounds)
    return (low, high) if low < high else (float(finite.min()), float(finite.max()))


def _blocks(values: NDArray[np.generic]) -> int:
    """How many blocks of rows are scaled one after another, so that no copy of a large picture is needed."""
    return min(len(values), 1 + values.size // SAMPLED_PIXELS)


def _scale_rows(rows: NDArray[np.generic], low: float, high: float) -> NDArray[np.uint8]:
    """(h, W) uint8: `low` becomes black, `high` white, a value that is no number black."""
    known = np.clip(np.nan_to_num(rows.astype(np.float64), nan=low), low, high)
    return ((known - low) * (255 / max(high - low, 1e-300)) + 0.5).astype(np.uint8)


BIG_ENDIAN_TIFF = b"MM\0*"


def register_tiff_modes() -> None:
    """Let Pillow read big-endian grey of 16 bits whose lowest value is white, as it does in little-endian."""
    from PIL import TiffImagePlugin  # noqa: PLC0415

    mode = (TiffImagePlugin.MM, MIN_IS_WHITE, (1,), 1, (16,), ())
    TiffImagePlugin.OPEN_INFO.setdefault(mode, ("I;16B", "I;16B"))


COLOUR_DEPTHS = {4: 10, 16: 12, 64: 14}
"""Bits of a colour by the limit of its high byte, if it is stored in the lower bits of 16."""

FULL_COLOUR_DEPTH = 16

OTHER_BYTE = {";16B": ";16L", ";16L": ";16B", ";16N": ";16B" if sys.byteorder == "little" else ";16L"}
"""How Pillow unpacks the low bytes instead of the high ones: as if they came in the other order."""


def tiles_of_low_bytes(image: ImageFile.ImageFile) -> list[ImageFile._Tile]:
    """The tiles of a picture of 16-bit colour that is not loaded, such that its low bytes are decoded."""
    return [tile for tile in map(_swap_bytes, image.tile) if tile] if image.mode == "RGB" else []


def _swap_bytes(tile: ImageFile._Tile) -> ImageFile._Tile | None:
    first, *others = (tile.args,) if isinstance(tile.args, str) else tuple(tile.args or ("",))
    mode, order = str(first)[:-4], str(first)[-4:]
    if order not in OTHER_BYTE:
        return None
    swapped = mode + OTHER_BYTE[order]
    return tile._replace(args=(swapped, *others) if others else swapped)


def colour_depth(high_bytes: Image.Image) -> int:
    """The bits that a 16-bit RGB picture uses, by its high bytes without the share of outliers."""
    _, high = _value_range(np.asarray(high_bytes))
    return next((bits for limit, bits in COLOUR_DEPTHS.items() if high < limit), FULL_COLOUR_DEPTH)


def scale_colour(high_bytes: Image.Image, low_bytes: Image.Image, depth: int) -> Image.Image:
    """RGB with 8 bits a channel of a picture that uses `depth` of 16; both pictures are RGB."""
    surplus_bits = depth - 8
    values = np.asarray(high_bytes, np.uint16) << 8 | np.asarray(low_bytes)
    return Image.fromarray(np.minimum(values >> surplus_bits, 255).astype(np.uint8))
