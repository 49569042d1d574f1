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
DATA_MEMBER = "sklearn/datasets/data/digits.csv.gz"
SIDE_PX = 32


class DatasetUnavailable(Exception):
    """The wheel cannot be had; the message says why."""


@dataclass(frozen=True, slots=True)
class Digit:
    """picture  PNG, grey, 32 x 32"""

    image: bytes
    label: str


def load_digits(cache: Path) -> tuple[Digit, ...]:
    """All of them, in the order of the file. Raises NoDigits."""
    with ZipFile(_wheel_path(cache)) as wheel:
        text = gzip.decompress(wheel.read(DATA_MEMBER)).decode()
    rows = [[int(float(cell)) for cell in row] for row in csv.reader(io.StringIO(text)) if row]
    return tuple(Digit(_row_to_png(row[:64]), str(row[64])) for row in rows)


def invert(image: bytes) -> bytes:
    """Black on white: what no camera of ours has sent before."""
    grey = np.asarray(Image.open(io.BytesIO(image)))
    return _encode_png(Image.fromarray(np.uint8(255) - grey))


def _wheel_path(cache: Path) -> Path:
    wheels = sorted(cache.glob("scikit_learn-*.whl"))
    if not wheels:
        _download_wheel(cache)
        wheels = sorted(cache.glob("scikit_learn-*.whl"))
    return wheels[-1]


def _download_wheel(cache: Path) -> None:
    options = ("download", "--quiet", "--no-deps", "--only-binary=:all:", "-r", str(REQUIREMENTS))
    try:
        subprocess.run(
            [sys.executable, "-m", "pip", *options, "-d", str(cache)],
            check=True,
            capture_output=True,
            timeout=300,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise DatasetUnavailable(f"{REQUIREMENTS.name} cannot be fetched: {error}") from error


def _row_to_png(cells: list[int]) -> bytes:
    """64 levels of 0 to 16."""
    levels = np.array(cells, np.float32).reshape(8, 8) * (255 / 16)
    small = Image.fromarray(levels.round().astype(np.uint8))
    return _encode_png(small.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC))


def _encode_png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
