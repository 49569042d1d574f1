"""Grey of any depth spans black to white, and a picture has the proportions that its file states."""

import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray
from PIL import Image

from tests.unit.inference.sample_images import HEIGHT, LIMITS, WIDTH, encode_image, high_bit_depth_image
from vigil.inference.images import create_thumbnail, decode_image

RAMP_12 = high_bit_depth_image(np.uint16, 4095)
MIN_IS_WHITE = {262: 0}


def grey_of(data: bytes) -> NDArray[np.int64]:
    """One row of the decoded picture."""
    return np.asarray(decode_image(data, LIMITS).image)[HEIGHT // 2, :, 0].astype(int)


def png_with_significant_bits(image: Image.Image, bits: int) -> bytes:
    data = encode_image(image, "PNG")
    chunk = b"sBIT" + bytes([bits])
    place = data.index(b"IDAT") - 4
    return data[:place] + struct.pack(">I", 1) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[place:]


def packed_12_bit_tiff() -> bytes:
    """A little-endian TIFF with BitsPerSample 12, two pixels in three bytes, as machine cameras write it."""
    values = np.asarray(RAMP_12).astype(np.uint16)
    even, odd = values[:, 0::2], values[:, 1::2]
    packed = np.stack([even >> 4, ((even & 15) << 4) | (odd >> 8), odd & 255], axis=-1).astype(np.uint8)
    return tiff(packed.tobytes(), "<", bits=12, photometric=1)


def big_endian_min_is_white_tiff() -> bytes:
    values = np.asarray(high_bit_depth_image(np.uint16, 60000))
    return tiff(values.astype(">u2").tobytes(), ">", bits=16, photometric=0)


def tiff(pixels: bytes, order: str, *, bits: int, photometric: int) -> bytes:
    """Grey in one strip; photometric is 0 if the lowest value is white."""
    longs = {256: WIDTH, 257: HEIGHT, 273: 8, 278: HEIGHT, 279: len(pixels)}
    shorts = {258: bits, 259: 1, 262: photometric, 277: 1}
    entries = [(tag, struct.pack(f"{order}HHII", tag, 4, 1, value)) for tag, value in longs.items()]
    entries += [(tag, struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0)) for tag, value in shorts.items()]
    directory = struct.pack(f"{order}H", len(entries)) + b"".join(entry for _, entry in sorted(entries))
    signature = b"II*\0" if order == "<" else b"MM\0*"
    return signature + struct.pack(f"{order}I", 8 + len(pixels)) + pixels + directory + b"\0\0\0\0"


def deep_colour_png(bits: int) -> bytes:
    """RGB in 16 bits a channel of which the lower ones are used: a ramp of red, and its reverse in blue."""
    red = np.repeat(np.linspace(0, 2**bits - 1, WIDTH).astype(">u2")[np.newaxis], HEIGHT, axis=0)
    pixels = np.stack([red, np.zeros_like(red), red[:, ::-1]], axis=-1).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


@pytest.mark.parametrize(
    "make",
    [
        packed_12_bit_tiff,
        lambda: png_with_significant_bits(RAMP_12, 12),
        lambda: encode_image(RAMP_12, "PNG"),
        lambda: encode_image(RAMP_12, "TIFF"),
        lambda: encode_image(high_bit_depth_image(np.int32, 4095), "TIFF"),
    ],
    ids=[
        "tiff of 12 bits",
        "png with sBIT",
        "png by its values",
        "tiff by its values",
        "32-bit by its values",
    ],
)
def test_grey_of_12_bits_in_a_deeper_file_spans_black_to_white(make: Callable[[], bytes]):
    row = grey_of(make())

    assert row[1] < 25
    assert row[-2] > 230
    assert (np.diff(row) >= 0).all()


def test_a_dark_picture_of_stated_12_bits_stays_dark():
    dark = high_bit_depth_image(np.uint16, 700)

    assert grey_of(png_with_significant_bits(dark, 12)).max() < 50


def test_stated_bits_that_were_shifted_up_to_16_use_the_whole_range():
    shifted = Image.fromarray(np.asarray(RAMP_12).astype(np.uint16) << 4)

    row = grey_of(png_with_significant_bits(shifted, 12))

    assert row[-2] > 230
    np.testing.assert_allclose(row[WIDTH // 2], 128, atol=6)


def test_a_black_frame_stays_black():
    assert grey_of(encode_image(high_bit_depth_image(np.uint16, 3), "PNG")).max() < 6


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_a_deep_picture_whose_lowest_value_is_white_is_not_a_negative(dtype: type[np.generic]):
    row = grey_of(encode_image(high_bit_depth_image(dtype, 60000), "TIFF", tiffinfo=MIN_IS_WHITE))

    assert row[1] > 225
    assert row[-2] < 30


def test_a_big_endian_picture_whose_lowest_value_is_white_is_not_a_negative():
    row = grey_of(big_endian_min_is_white_tiff())

    assert row[1] > 225
    assert row[-2] < 30


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_colour_of_less_than_16_bits_in_a_deeper_file_is_as_bright_as_any(bits: int):
    row = np.asarray(decode_image(deep_colour_png(bits), LIMITS).image)[HEIGHT // 2].astype(int)

    np.testing.assert_allclose(row[:, 0], np.linspace(0, 255, WIDTH), atol=2)
    np.testing.assert_allclose(row[:, 2], np.linspace(255, 0, WIDTH), atol=2)
    assert row[:, 1].max() == 0


@pytest.mark.parametrize("hot", [1e6, 3e38, np.inf, np.nan])
def test_one_hot_pixel_does_not_darken_a_float_picture(hot: float):
    values = np.repeat(np.linspace(0, 1, 400, dtype=np.float32)[np.newaxis], 300, axis=0)
    values[5, 7], values[9, 9] = hot, -hot

    row = np.asarray(decode_image(encode_image(Image.fromarray(values), "TIFF"), LIMITS).image)[150, :, 0]

    assert row[4] < 25
    assert row[-4] > 230


def test_one_hot_pixel_does_not_darken_a_16_bit_picture():
    values = np.repeat(np.linspace(0, 4095, 400).astype(np.uint16)[np.newaxis], 300, axis=0)
    values[5, 7] = 65535

    assert (
        np.asarray(decode_image(encode_image(Image.fromarray(values), "PNG"), LIMITS).image)[150, -4, 0] > 230
    )


def squeezed_image() -> Image.Image:
    """A field: half the rows of a picture of 48 × 32."""
    image = Image.new("RGB", (WIDTH, HEIGHT // 2), (255, 0, 0))
    image.paste((0, 0, 255), (WIDTH // 2, 0, WIDTH, HEIGHT // 2))
    return image


def jpeg_with_density(across: int, down: int, *, unit: int = 0) -> bytes:
    data = encode_image(squeezed_image(), "JPEG", quality=95)
    place = data.index(b"JFIF\0") + 7
    return data[:place] + struct.pack(">BHH", unit, across, down) + data[place + 5 :]


def exif_with_resolution(across: float, down: float, orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[0x011A], exif[0x011B], exif[0x0112] = across, down, orientation
    return exif


def png_with_aspect(across: int, down: int) -> bytes:
    data = encode_image(squeezed_image(), "PNG")
    chunk = b"pHYs" + struct.pack(">IIB", across, down, 0)
    place = data.index(b"IDAT") - 4
    return data[:place] + struct.pack(">I", 9) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[place:]


SQUEEZED = {
    "jfif proportion": lambda: jpeg_with_density(2, 1),
    "jfif dots per inch": lambda: jpeg_with_density(144, 72, unit=1),
    "exif": lambda: encode_image(squeezed_image(), "JPEG", exif=exif_with_resolution(144, 72)),
    "exif in webp": lambda: encode_image(
        squeezed_image(), "WEBP", lossless=True, exif=exif_with_resolution(144, 72)
    ),
    "png proportion": lambda: png_with_aspect(2, 1),
    "png dots per inch": lambda: encode_image(squeezed_image(), "PNG", dpi=(144, 72)),
    "tiff": lambda: encode_image(squeezed_image(), "TIFF", dpi=(204, 102)),
    "bmp": lambda: encode_image(squeezed_image(), "BMP", dpi=(144, 72)),
}


@pytest.mark.parametrize("make", SQUEEZED.values(), ids=SQUEEZED.keys())
def test_a_picture_at_half_its_height_is_stretched_if_its_file_says_so(make: Callable[[], bytes]):
    picture = decode_image(make(), LIMITS)

    assert picture.size_px == picture.image.size == (WIDTH, HEIGHT)
    assert np.asarray(picture.image)[30, 40, 2] > 230


def test_a_stretched_picture_is_then_turned_upright():
    turned = encode_image(squeezed_image(), "JPEG", exif=exif_with_resolution(144, 72, orientation=6))

    assert decode_image(turned, LIMITS).size_px == (HEIGHT, WIDTH)


def test_a_stretched_picture_that_is_decoded_at_a_reduced_size_keeps_its_full_size():
    data = encode_image(Image.new("RGB", (800, 300)), "JPEG", dpi=(144, 72))

    picture = decode_image(data, LIMITS, side_px=200)

    assert picture.size_px == (800, 600)
    assert picture.image.size == (200, 150)


def test_a_picture_that_would_be_too_large_is_shrunk_in_the_other_direction():
    limits = replace(LIMITS, max_pixels=WIDTH * HEIGHT // 2)

    assert decode_image(jpeg_with_density(2, 1), limits).size_px == (WIDTH // 2, HEIGHT // 2)


@pytest.mark.parametrize("density", [(1, 1), (0, 1), (1, 0), (100, 101), (72, 1), (1, 300)])
def test_densities_that_are_square_or_a_mistake_change_nothing(density: tuple[int, int]):
    assert decode_image(jpeg_with_density(*density), LIMITS).size_px == (WIDTH, HEIGHT // 2)


def test_a_thumbnail_of_a_stretched_picture_is_stretched():
    thumbnail = decode_image(create_thumbnail(jpeg_with_density(2, 1), LIMITS), LIMITS)

    assert thumbnail.size_px == (WIDTH, HEIGHT)
