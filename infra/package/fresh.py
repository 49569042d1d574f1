"""Knows what is still good from the last run, and replaces what is not in one step."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def files(folder: Path) -> list[Path]:
    """Every file below a folder in a stable order; bytecode is nobody's source and is passed over."""
    found = [path for path in folder.rglob("*") if "__pycache__" not in path.parts and path.is_file()]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def fingerprint(*sources: Path | str) -> str:
    """Hash words, files, and folders (each file's relative path and bytes); a missing path counts too."""
    digest = hashlib.sha256()
    for source in sources:
        if isinstance(source, str):
            digest.update(f"word {source}\n".encode())
            continue
        for path in files(source) if source.is_dir() else [source]:
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"
            digest.update(f"{path.relative_to(source.parent).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def keep(place: Path, key: str, make: Callable[[Path], None]) -> bool:
    """Have `make` build a file or folder at `place`, unless it is there and was built from `key`.

    `make` is handed a draft path; only a finished draft takes the place. Returns whether it ran.
    """
    stamp = place.with_name(f".{place.name}.key")
    if place.exists() and stamp.exists() and stamp.read_text() == key:
        return False
    place.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        make(workshop / "draft")
        stamp.unlink(missing_ok=True)
        if place.is_dir():
            place.rename(workshop / "old")
        os.replace(workshop / "draft", place)
        stamp.write_text(key)
    finally:
        shutil.rmtree(workshop)
    return True


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let one process at a time work in this folder; the others wait."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
