"""Files and folders that a command writes, checked before it does anything."""

import os
from collections.abc import Iterable
from pathlib import Path

from vigil_cli.console import fail


def prepare_folder(folder: Path, option: str) -> None:
    """Create the folder that a command will write to; ends the command if that is impossible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"{folder} cannot be used for {option}: {error.strerror}")
    if not os.access(folder, os.W_OK):
        fail(f"{folder} cannot be used for {option}: it is not writable")


def require_new_file(file: Path, option: str) -> None:
    """End the command if the file that it will write exists or its folder does not."""
    if file.exists():
        fail(f"{file} exists and is not overwritten: name another file with {option}")
    if not os.access(file.absolute().parent, os.W_OK):
        fail(f"{file.absolute().parent} is not there or not writable: name another file with {option}")


def different_names(files: Iterable[Path], suffix: str) -> list[str]:
    """A file name for each file, from its own without its suffix: `a.png`, `a-2.png`."""
    names: list[str] = []
    for file in files:
        numbers = (f"-{number}" if number > 1 else "" for number in range(1, len(names) + 2))
        candidates = (f"{file.stem}{number}{suffix}" for number in numbers)
        used = {name.casefold() for name in names}
        names.append(next(name for name in candidates if name.casefold() not in used))
    return names
