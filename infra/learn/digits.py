"""Handwritten digits (UCI; 1,797 of 8 x 8 grey levels), read out of a pinned wheel, with labels."""

import csv
import gzip
import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from PIL import Image

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
INSIDE = "sklearn/datasets/data/digits.csv.gz"
SIDE_PX = 32


class NoDigits(Exception):
    """The wheel cannot be had; the message says why."""


@dataclass(frozen=True, slots=True)
class Digit:
    """picture  PNG, grey, 32 x 32"""

    picture: bytes
    label: str


def digits(cache: Path) -> tuple[Digit, ...]:
    """All of them, in the order of the file. Raises NoDigits."""
    with ZipFile(_wheel(cache)) as wheel:
        text = gzip.decompress(wheel.read(INSIDE)).decode()
    rows = [[int(float(cell)) for cell in row] for row in csv.reader(io.StringIO(text)) if row]
    return tuple(Digit(_png(row[:64]), str(row[64])) for row in rows)


def inverted(picture: bytes) -> bytes:
    """Black on white: what no camera of ours has sent before."""
    grey = np.asarray(Image.open(io.BytesIO(picture)))
    return _packed(Image.fromarray(np.uint8(255) - grey))


def _wheel(cache: Path) -> Path:
    found = sorted(cache.glob("scikit_learn-*.whl"))
    if not found:
        _fetch(cache)
        found = sorted(cache.glob("scikit_learn-*.whl"))
    return found[-1]


def _fetch(cache: Path) -> None:
    words = ("download", "--quiet", "--no-deps", "--only-binary=:all:", "-r", str(REQUIREMENTS))
    try:
        subprocess.run(
            [sys.executable, "-m", "pip", *words, "-d", str(cache)],
            check=True,
            capture_output=True,
            timeout=300,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise NoDigits(f"{REQUIREMENTS.name} cannot be fetched: {error}") from error


def _png(cells: list[int]) -> bytes:
    """64 levels of 0 to 16."""
    levels = np.array(cells, np.float32).reshape(8, 8) * (255 / 16)
    small = Image.fromarray(levels.round().astype(np.uint8))
    return _packed(small.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC))


def _packed(image: Image.Image) -> bytes:
    packed = io.BytesIO()
    image.save(packed, "PNG")
    return packed.getvalue()
