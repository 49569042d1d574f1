"""Bytes become an upright RGB picture, or one of four named refusals; nothing else ever comes out."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.predict.pictures import ACCEPTS, COLOURED, GREY, HEIGHT, WIDTH, encoded, plain, transparent
from vigil.errors import EmptyFile, NotAnImage, TooManyPixels, TruncatedImage
from vigil.predict.decode import decode

FORMATS = {name: make() for name, make in {**COLOURED, **GREY}.items()}


@pytest.mark.parametrize("make", COLOURED.values(), ids=COLOURED.keys())
def test_every_colour_format_keeps_its_colours(make: Callable[[], bytes]):
    picture = decode(make(), ACCEPTS)

    pixels = np.asarray(picture.image).astype(int)
    assert picture.image.mode == "RGB"
    assert picture.size_px == (WIDTH, HEIGHT)
    np.testing.assert_allclose(pixels[16, 6], [255, 0, 0], atol=30)
    np.testing.assert_allclose(pixels[16, 42], [0, 0, 255], atol=30)


@pytest.mark.parametrize("make", GREY.values(), ids=GREY.keys())
def test_every_grey_format_spans_black_to_white(make: Callable[[], bytes]):
    pixels = np.asarray(decode(make(), ACCEPTS).image).astype(int)

    assert pixels[16, 1].max() < 25
    assert pixels[16, -2].min() > 230
    assert (np.ptp(pixels, axis=2) == 0).all()


def test_transparency_shows_the_cards_ground():
    pixels = np.asarray(decode(encoded(transparent(), "PNG"), ACCEPTS).image)

    np.testing.assert_array_equal(pixels[16, 6], [255, 0, 0])
    np.testing.assert_array_equal(pixels[16, 42], [128, 128, 128])


@pytest.mark.parametrize("turn", range(1, 9))
def test_the_camera_s_orientation_is_undone(turn: int):
    upright = plain()
    upright.paste((0, 255, 0), (0, 0, WIDTH // 2, HEIGHT // 2))
    exif = Image.Exif()
    exif[0x0112] = turn
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transposition that a camera held so makes
    taken = upright if turn == 1 else upright.transpose(Image.Transpose(undo[turn]))

    picture = decode(encoded(taken, "JPEG", quality=95, subsampling=0, exif=exif), ACCEPTS)

    assert picture.size_px == (WIDTH, HEIGHT)
    np.testing.assert_allclose(np.asarray(picture.image).astype(int), np.asarray(upright), atol=40)


@pytest.mark.parametrize("turn", [1, 6])
def test_a_jpeg_is_unpacked_small_but_never_below_what_is_asked(turn: int):
    exif = Image.Exif()
    exif[0x0112] = turn
    data = encoded(Image.effect_noise((800, 600), 40).convert("RGB"), "JPEG", exif=exif)

    picture = decode(data, ACCEPTS, side_px=390)

    assert max(picture.image.size) == 400
    assert max(picture.size_px) == 800
    assert picture.shrink == (2.0, 2.0)
    assert (picture.size_px[0] < picture.size_px[1]) == (turn == 6)


def test_an_empty_file_says_so():
    with pytest.raises(EmptyFile):
        decode(b"", ACCEPTS)


@pytest.mark.parametrize(
    "data", [b"\0", b"hello, world", b"%PDF-1.7 " + b"x" * 500, b"<svg></svg>", b"%!PS-Adobe"]
)
def test_what_is_no_picture_is_called_so(data: bytes):
    with pytest.raises(NotAnImage):
        decode(data, ACCEPTS)


def test_a_format_that_the_card_does_not_name_is_no_picture():
    with pytest.raises(NotAnImage):
        decode(encoded(plain(), "BMP"), replace(ACCEPTS, formats=("JPEG",)))


@pytest.mark.parametrize("name", ["jpeg", "progressive jpeg", "png", "gif", "webp", "bmp"])
def test_a_picture_cut_anywhere_is_refused_or_shown_and_never_anything_else(name: str):
    data = FORMATS[name]

    for end in {*range(min(len(data), 64)), *range(0, len(data), max(1, len(data) // 60))}:
        try:
            decode(data[:end], ACCEPTS)
        except (EmptyFile, NotAnImage, TruncatedImage):
            continue


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_photo_that_breaks_off_is_truncated(share: float):
    data = encoded(Image.effect_noise((300, 200), 60).convert("RGB"), "JPEG")

    with pytest.raises(TruncatedImage):
        decode(data[: int(len(data) * share)], ACCEPTS)


def test_a_header_that_breaks_off_is_truncated():
    with pytest.raises(TruncatedImage):
        decode(FORMATS["jpeg"][:20], ACCEPTS)


def test_pixels_are_counted_before_any_is_unpacked():
    with pytest.raises(TooManyPixels):
        decode(_bomb(20_000, 20_000), ACCEPTS)


@pytest.mark.parametrize("side", [9_600, 14_000, 60_000])
def test_bombs_at_each_of_pillow_s_own_limits_are_too_many_pixels(side: int):
    with pytest.raises(TooManyPixels):
        decode(_bomb(side, side), replace(ACCEPTS, max_pixels=50_000_000))


@settings(max_examples=300, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(FORMATS)))
def test_damage_anywhere_is_refused_or_shown_and_never_anything_else(data: st.DataObject, name: str):
    damaged = bytearray(FORMATS[name])
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))

    try:
        picture = decode(bytes(damaged), ACCEPTS)
    except (NotAnImage, TruncatedImage, TooManyPixels):
        return
    assert picture.image.mode == "RGB"


def _bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises width × height pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body
