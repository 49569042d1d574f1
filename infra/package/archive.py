"""Writes zips that depend on nothing but their contents: sorted, one date, one mode."""

import shutil
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_READABLE = 0o100644 << 16


def zip_folder(folder: Path, zipped: Path) -> None:
    """Zip everything below a folder, bytecode included."""
    with ZipFile(zipped, "w") as archive:
        _add(archive, folder)


def extend(zipped: Path, extended: Path, folder: Path) -> None:
    """Copy a zip and add a folder to the copy, without compressing again what is in it already."""
    shutil.copyfile(zipped, extended)
    with ZipFile(extended, "a") as archive:
        _add(archive, folder)


def unzip(zipped: Path, folder: Path) -> None:
    """Unpack a zip that we made ourselves."""
    with ZipFile(zipped) as archive:
        archive.extractall(folder)


def unzipped_bytes(path: Path) -> int:
    """Size as Lambda counts it: of a zip's members, or of a folder's files."""
    if path.is_dir():
        return sum(found.stat().st_size for found in path.rglob("*") if found.is_file())
    with ZipFile(path) as archive:
        return sum(member.file_size for member in archive.infolist())


def _add(archive: ZipFile, folder: Path) -> None:
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    for name in sorted(paths):
        archive.writestr(_entry(name), paths[name].read_bytes())


def _entry(name: str) -> ZipInfo:
    info = ZipInfo(name, _DATE)
    info.compress_type = ZIP_DEFLATED
    info.create_system = _UNIX
    info.external_attr = _READABLE
    return info
