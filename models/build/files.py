"""The folders of the build, atomic writes into them, and the one error of building."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CARDS = ROOT / "models"
BUILD = ROOT / "build"
RELEASES = BUILD / "models"
PHOTOS = BUILD / "photos"
CACHE = BUILD / "cache"


class BuildFailure(Exception):
    """A model cannot be built; the message is a sentence for the user."""


@contextmanager
def exclusive_build(folder: Path) -> Iterator[None]:
    """Hold the lock on a folder that only one process at a time may build into."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_file(path: Path, data: bytes) -> None:
    """Replace a file in one step: readers find the old content or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.replace(path)


def replace_folder(folder: Path, files: dict[str, bytes]) -> None:
    """Replace a folder; for a moment there is none."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    temporary.chmod(0o755)
    for name, data in files.items():
        (temporary / name).write_bytes(data)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.replace(folder)
