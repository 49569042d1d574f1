"""Files that a camera writes into a folder, as soon as they are complete."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG

UPLOADED_FOLDER, REFUSED_FOLDER = "uploaded", "refused"

SETTLED_S = 3.0
"""A file is complete when neither its size nor its time has changed for so long."""


class WatchedFolder:
    """A folder with its subfolders; uploaded files are moved or deleted, refused ones are moved."""

    def __init__(self, folder: Path, *, deletes: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._deletes, self._clock = folder, deletes, clock
        self._known: dict[Path, tuple[tuple[int, int], float]] = {}

    def complete_files(self) -> Iterator[Path]:
        """The complete files, in the order in which they were written."""
        now_s = self._clock()
        found: dict[Path, tuple[tuple[int, int], float]] = {}
        for file, state in self._candidates():
            known = self._known.get(file)
            found[file] = known if known is not None and known[0] == state else (state, now_s)
        self._known = found
        settled = [file for file, (_, since_s) in found.items() if now_s - since_s >= SETTLED_S]
        return iter(sorted(settled, key=lambda file: (found[file][0][1], str(file))))

    def finish(self, file: Path) -> None:
        """An uploaded file is moved or deleted."""
        if self._deletes:
            file.unlink(missing_ok=True)
        else:
            self._move(file, UPLOADED_FOLDER)

    def refuse(self, file: Path) -> None:
        self._move(file, REFUSED_FOLDER)

    def _candidates(self) -> Iterator[tuple[Path, tuple[int, int]]]:
        """Files with their size and time; empty ones are being written, hidden ones are the server's."""
        own = {self._folder / UPLOADED_FOLDER, self._folder / REFUSED_FOLDER}
        for file in self._folder.rglob("*"):
            is_hidden = any(part.startswith(".") for part in file.relative_to(self._folder).parts)
            if is_hidden or own.intersection(file.parents):
                continue
            with suppress(FileNotFoundError):
                status = file.stat()
                if S_ISREG(status.st_mode) and status.st_size:
                    yield file, (status.st_size, status.st_mtime_ns)

    def _move(self, file: Path, name: str) -> None:
        target = self._folder / name / file.relative_to(self._folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.replace(target)
