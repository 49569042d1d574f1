"""Limits on the structure of a picture's file: what is small but takes a decoder long is rejected before.

A file of some hundred kilobytes may contain thousands of empty scans, segments, chunks or strips; each takes
a decoder the time of a whole pass over the picture, or some microseconds of interpreted code.
"""

import io
import math
import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.errors import TooManyParts

MAX_READS = 100_000
"""Reads of one file; each segment, chunk and block takes at least one, 20 MB of pixels some thousands."""

MAX_SCANS = 64
"""Scans of a progressive JPEG; encoders write about ten, and its preview has some too."""

MAX_SCANNED_PIXELS = 1_000_000_000
"""Scans times pixels: twenty scans of the largest picture."""

MAX_TAG_VALUES = 50_000
"""Numbers in one tag of TIFF or EXIF, such as the offsets of the strips."""

MAX_TAG_DIRECTORIES = 100
"""Places in a file that look like the beginning of a TIFF or of EXIF."""

START_OF_SCAN = int.from_bytes(b"\xff\xda", "little")
TAG_DIRECTORIES = (b"II*\0", b"II+\0", b"MM\0*", b"MM\0+")
BYTE_ORDERS = (0x4949, 0x4D4D)
"""The first two bytes of TAG_DIRECTORIES."""

BYTE_TYPES = {1, 2, 6, 7}
VALUE_BYTES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Size of a value by the type of its tag, without the types that are bytes."""


class FileReader(io.BytesIO):
    """A file in memory that is read a limited number of times. Raises TooManyParts."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > MAX_READS:
            raise TooManyParts("the file consists of far more parts than a picture has")
        return super().read(size)


def check_scans(data: bytes, image: Image.Image) -> None:
    """Raises TooManyParts for a JPEG with so many scans that decoding takes many times as long as usual."""
    if image.format not in ("JPEG", "MPO"):
        return
    scans = sum(np.count_nonzero(pairs == START_OF_SCAN) for pairs in _byte_pairs(data))
    if scans > MAX_SCANS or scans * math.prod(image.size) > max(MAX_SCANNED_PIXELS, math.prod(image.size)):
        raise TooManyParts(f"{scans} scans of {image.width}×{image.height} pixels")


def check_metadata(data: bytes) -> None:
    """Raises TooManyParts for a TIFF, or EXIF in any format, with a tag of far too many numbers."""
    for number, found in enumerate(_tag_directories(data)):
        if number == MAX_TAG_DIRECTORIES:
            raise TooManyParts("the file contains far more tag directories than a picture has")
        if _most_values(memoryview(data)[found:]) > MAX_TAG_VALUES:
            raise TooManyParts(f"a tag has more than {MAX_TAG_VALUES:,} numbers")


def _tag_directories(data: bytes) -> Iterator[int]:
    """Where a TIFF or EXIF may begin."""
    for start, pairs in enumerate(_byte_pairs(data)):
        found = np.flatnonzero((pairs == BYTE_ORDERS[0]) | (pairs == BYTE_ORDERS[1])) * 2 + start
        yield from (place for place in found.tolist() if data.startswith(TAG_DIRECTORIES, place))


def _byte_pairs(data: bytes) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Every two neighbouring bytes as (n,) integers: those from even places, and those from odd ones.

    Comparing them all takes a fifth of the time of a search for bytes.
    """
    return (
        np.frombuffer(data, "<u2", len(data) // 2),
        np.frombuffer(data, "<u2", (len(data) - 1) // 2, offset=1),
    )


def _most_values(tiff: memoryview) -> int:
    """The highest number of values of a tag in the first directory; tags that break off are not counted."""
    order = "<" if tiff[0] == ord("I") else ">"
    is_big = b"+" in bytes(tiff[2:4])
    start, count, entry = ("8xQ", "Q", "HHQQ") if is_big else ("4xI", "H", "HHII")
    try:
        (place,) = struct.unpack_from(order + start, tiff)
        (entries,) = struct.unpack_from(order + count, tiff, place)
        first = place + struct.calcsize(order + count)
        size = struct.calcsize(order + entry)
        most = 0
        for number in range(min(entries, 0xFFFF)):
            _, kind, values, offset = struct.unpack_from(order + entry, tiff, first + number * size)
            if kind not in BYTE_TYPES and offset + values * VALUE_BYTES.get(kind, 1) <= len(tiff):
                most = max(most, values)
    except struct.error:
        return 0
    return most
