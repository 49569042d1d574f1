"""Bytes become an upright RGB picture or a named rejection; a thumbnail is small and has no metadata."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from PIL import Image

from tests.unit.inference.sample_images import (
    COLOUR_ENCODINGS,
    FORMATS,
    GREY_ENCODINGS,
    HEIGHT,
    LIMITS,
    WIDTH,
    encode_image,
    half_transparent_image,
    two_colour_image,
)
from vigil.errors import (
    EmptyFile,
    NotAnImage,
    TooManyPixels,
    TruncatedImage,
)
from vigil.inference.images import THUMBNAIL_SIDE_PX, create_thumbnail, decode_image


@pytest.mark.parametrize("make", COLOUR_ENCODINGS.values(), ids=COLOUR_ENCODINGS.keys())
def test_every_colour_format_keeps_its_colours(make: Callable[[], bytes]):
    picture = decode_image(make(), LIMITS)

    pixels = np.asarray(picture.image).astype(int)
    assert picture.image.mode == "RGB"
    assert picture.size_px == (WIDTH, HEIGHT)
    np.testing.assert_allclose(pixels[16, 6], [255, 0, 0], atol=30)
    np.testing.assert_allclose(pixels[16, 42], [0, 0, 255], atol=30)


@pytest.mark.parametrize("make", GREY_ENCODINGS.values(), ids=GREY_ENCODINGS.keys())
def test_every_grey_format_spans_black_to_white(make: Callable[[], bytes]):
    pixels = np.asarray(decode_image(make(), LIMITS).image).astype(int)

    assert pixels[16, 1].max() < 25
    assert pixels[16, -2].min() > 230
    assert (np.ptp(pixels, axis=2) == 0).all()


def test_transparent_pixels_become_the_background_grey():
    pixels = np.asarray(decode_image(encode_image(half_transparent_image(), "PNG"), LIMITS).image)

    np.testing.assert_array_equal(pixels[16, 6], [255, 0, 0])
    np.testing.assert_array_equal(pixels[16, 42], [128, 128, 128])


@pytest.mark.parametrize("turn", range(1, 9))
def test_the_camera_s_orientation_is_undone(turn: int):
    upright = two_colour_image()
    upright.paste((0, 255, 0), (0, 0, WIDTH // 2, HEIGHT // 2))
    exif = Image.Exif()
    exif[0x0112] = turn
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transposition that a camera held so makes
    taken = upright if turn == 1 else upright.transpose(Image.Transpose(undo[turn]))

    picture = decode_image(encode_image(taken, "JPEG", quality=95, subsampling=0, exif=exif), LIMITS)

    assert picture.size_px == (WIDTH, HEIGHT)
    np.testing.assert_allclose(np.asarray(picture.image).astype(int), np.asarray(upright), atol=40)


@pytest.mark.parametrize("turn", [1, 6])
def test_a_jpeg_is_decoded_at_a_reduced_size_but_not_below_the_given_side(turn: int):
    exif = Image.Exif()
    exif[0x0112] = turn
    data = encode_image(Image.effect_noise((800, 600), 40).convert("RGB"), "JPEG", exif=exif)

    picture = decode_image(data, LIMITS, side_px=390)

    assert max(picture.image.size) == 400
    assert max(picture.size_px) == 800
    assert picture.scale == (2.0, 2.0)
    assert (picture.size_px[0] < picture.size_px[1]) == (turn == 6)


def test_an_empty_file_is_rejected_as_empty():
    with pytest.raises(EmptyFile):
        decode_image(b"", LIMITS)


@pytest.mark.parametrize(
    "data", [b"\0", b"hello, world", b"%PDF-1.7 " + b"x" * 500, b"<svg></svg>", b"%!PS-Adobe"]
)
def test_data_that_is_no_picture_is_rejected_as_such(data: bytes):
    with pytest.raises(NotAnImage):
        decode_image(data, LIMITS)


def test_a_format_that_the_card_does_not_accept_is_rejected():
    with pytest.raises(NotAnImage):
        decode_image(encode_image(two_colour_image(), "BMP"), replace(LIMITS, formats=("JPEG",)))


@pytest.mark.parametrize("name", ["jpeg", "progressive jpeg", "png", "gif", "webp", "bmp"])
def test_a_picture_cut_at_any_byte_is_decoded_or_rejected(name: str):
    data = FORMATS[name]

    for end in {*range(min(len(data), 64)), *range(0, len(data), max(1, len(data) // 60))}:
        try:
            decode_image(data[:end], LIMITS)
        except (EmptyFile, NotAnImage, TruncatedImage):
            continue


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_an_incomplete_photo_is_rejected_as_truncated(share: float):
    data = encode_image(Image.effect_noise((300, 200), 60).convert("RGB"), "JPEG")

    with pytest.raises(TruncatedImage):
        decode_image(data[: int(len(data) * share)], LIMITS)


def test_an_incomplete_header_is_rejected_as_truncated():
    with pytest.raises(TruncatedImage):
        decode_image(FORMATS["jpeg"][:20], LIMITS)


def test_pixels_are_counted_before_decoding():
    with pytest.raises(TooManyPixels):
        decode_image(_decompression_bomb(20_000, 20_000), LIMITS)


@pytest.mark.parametrize("side", [9_600, 14_000, 60_000])
def test_a_decompression_bomb_at_each_limit_of_pillow_has_too_many_pixels(side: int):
    with pytest.raises(TooManyPixels):
        decode_image(_decompression_bomb(side, side), replace(LIMITS, max_pixels=50_000_000))


@settings(max_examples=300, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(FORMATS)))
def test_a_picture_damaged_at_any_byte_is_decoded_or_rejected(data: st.DataObject, name: str):
    damaged = bytearray(FORMATS[name])
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))

    try:
        picture = decode_image(bytes(damaged), LIMITS)
    except (NotAnImage, TruncatedImage, TooManyPixels):
        return
    assert picture.image.mode == "RGB"


def _decompression_bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises width × height pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def sample_photo() -> Image.Image:
    """Blue, with a red square whose place is 600, 200 to 700, 300."""
    image = Image.new("RGB", (1200, 800), BLUE)
    image.paste(RED, (600, 200, 700, 300))
    return image


def open_jpeg(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    assert image.format == "JPEG"
    return image


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_thumbnail_is_small_and_has_the_proportions_of_the_photo(kind: str):
    small = open_jpeg(create_thumbnail(encode_image(sample_photo(), kind), LIMITS))

    assert small.size == (THUMBNAIL_SIDE_PX, round(THUMBNAIL_SIDE_PX * 2 / 3))


def test_a_small_photo_is_not_enlarged():
    assert open_jpeg(create_thumbnail(encode_image(Image.new("RGB", (40, 30)), "PNG"), LIMITS)).size == (
        40,
        30,
    )


def test_a_thumbnail_has_no_metadata():
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "a maker", 6
    exif.get_ifd(0x8825)[1] = "N"
    data = encode_image(sample_photo(), "JPEG", exif=exif, comment=b"at the door", xmp=b"<x>somewhere</x>")
    assert {"exif", "comment", "xmp"} <= set(Image.open(io.BytesIO(data)).info)

    made = create_thumbnail(data, LIMITS)

    assert set(open_jpeg(made).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert not any(word in made for word in (b"maker", b"door", b"somewhere"))
    assert open_jpeg(made).size == (round(THUMBNAIL_SIDE_PX * 2 / 3), THUMBNAIL_SIDE_PX)


def test_a_thumbnail_of_a_box_shows_the_box_with_a_margin():
    pixels = np.asarray(
        open_jpeg(create_thumbnail(encode_image(sample_photo(), "PNG"), LIMITS, (600, 200, 700, 300)))
    )

    assert pixels.shape == (180, 180, 3)
    np.testing.assert_allclose(pixels[90, 90], RED, atol=8)
    np.testing.assert_allclose(pixels[10, 10], BLUE, atol=8)


@pytest.mark.parametrize(
    "box", [(-50, -50, 20, 20), (1190, 790, 1300, 900), (1200, 800, 1200, 800), (5, 5, 5, 5)]
)
def test_a_box_at_the_edge_is_clipped_to_the_photo(box: tuple[float, float, float, float]):
    assert min(open_jpeg(create_thumbnail(encode_image(sample_photo(), "PNG"), LIMITS, box)).size) >= 1


def test_data_that_is_no_picture_has_no_thumbnail():
    with pytest.raises(NotAnImage):
        create_thumbnail(b"nothing", LIMITS)
