"""A bounded queue of files on disk, which outlives the process and the network."""

import os
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path


class DiskQueue:
    """Files in a folder, oldest first; above `max_bytes` the oldest are discarded.

    A file is written under a hidden name and renamed: a process that is killed leaves no half of one.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._max_bytes, self._numbers = folder, max_bytes, count()
        self.discarded = 0
        for draft in folder.glob(".*.draft"):
            draft.unlink(missing_ok=True)

    def put(self, data: bytes, suffix: str = ".jpg") -> Path:
        name = f"{time.time_ns():020}-{next(self._numbers):06}{suffix}"
        draft, file = self._folder / f".{name}.draft", self._folder / name
        with draft.open("wb") as written:
            written.write(data)
            written.flush()
            os.fsync(written.fileno())
        draft.rename(file)
        self._discard_oldest()
        return file

    def files(self) -> Iterator[Path]:
        """All files, oldest first."""
        return iter(sorted(one for one in self._folder.iterdir() if not one.name.startswith(".")))

    def remove(self, file: Path) -> None:
        file.unlink(missing_ok=True)

    def __len__(self) -> int:
        return sum(1 for _ in self.files())

    def _discard_oldest(self) -> None:
        sizes = {file: _size(file) for file in self.files()}
        excess = sum(sizes.values()) - self._max_bytes
        for file, size in [*sizes.items()][:-1]:
            if excess <= 0:
                return
            self.remove(file)
            self.discarded += 1
            excess -= size


def _size(file: Path) -> int:
    """0 for a file that was uploaded and removed in the meantime."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
