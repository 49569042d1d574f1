"""A small file that would keep a decoder busy is rejected before it is decoded."""

import struct
import zlib

import pytest
from PIL import Image

from tests.unit.inference.sample_images import FORMATS, LIMITS, encode_image, two_colour_image
from vigil.errors import TooManyParts
from vigil.inference.images import decode_image


def jpeg_with_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is repeated; each takes a pass over all blocks."""
    data = encode_image(two_colour_image(), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * count + b"\xff\xd9"


def after_header(name: str, place: bytes, part: bytes) -> bytes:
    """The sample picture with a part repeated before `place`."""
    data = FORMATS[name]
    at = data.index(place)
    return data[:at] + part * 120_000 + data[at:]


def png_chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def tiff_with_strips(count: int) -> bytes:
    """A picture of 8 × 8 pixels whose directory lists thousands of strips."""
    numbers = struct.pack(f"<{count}I", *[8] * count)
    fields = [(256, 1, 8), (257, 1, 8), (258, 1, 8), (259, 1, 1), (262, 1, 1)]
    fields += [(273, count, 122), (277, 1, 1), (278, 1, 1), (279, count, 122)]
    entries = b"".join(struct.pack("<HHII", tag, 4, n, value) for tag, n, value in fields)
    return b"II*\0" + struct.pack("<IH", 8, 9) + entries + b"\0\0\0\0" + numbers


def exif_with_numbers(count: int) -> bytes:
    entry = struct.pack("<HHII", 0x011A, 5, count, 26)
    return b"II*\0" + struct.pack("<IH", 8, 1) + entry + b"\0\0\0\0" + struct.pack("<II", 72, 1) * count


@pytest.mark.parametrize(
    "data",
    [
        jpeg_with_scans(3000),
        after_header("jpeg", b"\xff\xdb", b"\xff\xfe\x00\x02"),
        after_header("jpeg", b"\xff\xdb", b"\x00"),
        after_header("gif", b"\x2c", b"\x21\xfe\x01a\x00"),
        FORMATS["png"].replace(
            FORMATS["png"][33:37] + b"IDAT",
            png_chunk(b"prIv", b"") * 60_000 + FORMATS["png"][33:37] + b"IDAT",
        ),
        tiff_with_strips(60_000),
        FORMATS["png"].replace(
            FORMATS["png"][33:37] + b"IDAT",
            png_chunk(b"eXIf", exif_with_numbers(60_000)) + FORMATS["png"][33:37] + b"IDAT",
        ),
        FORMATS["jpeg"] + b"II*\0" * 200,
        FORMATS["jpeg"] + b"MM\0*" * 200,
    ],
    ids=[
        "jpeg scans",
        "jpeg segments",
        "jpeg filling",
        "gif comments",
        "png chunks",
        "tiff strips",
        "exif numbers",
        "directories",
        "big-endian directories",
    ],
)
def test_a_file_of_far_more_parts_than_a_picture_has_is_rejected(data: bytes):
    with pytest.raises(TooManyParts):
        decode_image(data, LIMITS)


@pytest.mark.parametrize("data", [jpeg_with_scans(10), tiff_with_strips(8)], ids=["scans", "strips"])
def test_a_file_of_usual_structure_is_decoded(data: bytes):
    assert decode_image(data, LIMITS).image.mode == "RGB"


@pytest.mark.parametrize("size", [(20_000, 1), (1, 20_000), (40_000, 3), (3, 40_000), (1, 1)])
@pytest.mark.parametrize("side_px", [None, 1, 640])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
def test_a_very_thin_picture_is_decoded(size: tuple[int, int], side_px: int | None, kind: str):
    picture = decode_image(encode_image(Image.new("RGB", size), kind), LIMITS, side_px=side_px)

    assert picture.size_px == size
    assert min(picture.image.size) >= 1
