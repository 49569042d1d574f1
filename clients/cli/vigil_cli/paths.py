"""Folders of this repository, and the photos in a folder."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
COMMANDS_FOLDER = Path(__file__).with_name("commands")
BUILD = ROOT / "build"
DATA = ROOT / ".vigil"
PACKAGE = BUILD / "package" / "local"
PHOTOS = ROOT / "tests" / "photos"


def expand_folders(paths: Iterable[Path], suffixes: Collection[str] | None = None) -> Iterator[Path]:
    """The files as they are; of a folder all files with these suffixes, also those in its subfolders.

    suffixes  None for files of any name
    """
    for path in paths:
        if path.is_dir():
            inside = (
                one for one in sorted(path.rglob("*")) if suffixes is None or one.suffix.lower() in suffixes
            )
            yield from (one for one in inside if one.is_file() and not one.name.startswith("."))
        else:
            yield path
