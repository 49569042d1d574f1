"""The one error with which building models stops; its message is a sentence for whoever runs it."""

from pathlib import Path
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


class BuildFailure(Exception):
    """A model cannot be built, and why."""


# MERGED: Where models are read from and built to.

ROOT = Path(__file__).resolve().parents[2]
CARDS = ROOT / "models"
BUILD = ROOT / "build"
RELEASES = BUILD / "models"
PHOTOS = BUILD / "photos"
CACHE = BUILD / "cache"


# MERGED: Bytes onto the disk so that no reader ever sees half a file, however the writer ends.

@contextmanager
def exclusive_build(folder: Path) -> Iterator[None]:
    """Wait until no other process builds into this folder, and keep the others waiting."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_file(path: Path, data: bytes) -> None:
    """Write beside, then rename over: the file is the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.replace(path)


def replace_folder(folder: Path, files: dict[str, bytes]) -> None:
    """Replace a whole folder; another process sees the old, the new, or for an instant none."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    temporary.chmod(0o755)
    for name, data in files.items():
        (temporary / name).write_bytes(data)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.replace(folder)
