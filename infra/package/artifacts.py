"""Runs another program silently, and lets it speak only when it fails."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from infra.package.errors import PackagingError
from infra.package.targets import Target

_LAST_LINES = 12


def run_program(
    command: Sequence[str],
    *,
    failure: str,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Return what the program printed; on failure raise PackagingError with `failure` and its last lines."""
    completed = subprocess.run(
        command, check=False, cwd=folder, env=environment, capture_output=True, text=True, errors="replace"
    )
    if completed.returncode != 0:
        last_lines = (completed.stderr or completed.stdout).strip().splitlines()[-_LAST_LINES:]
        raise PackagingError("\n".join([failure, *last_lines]))
    return completed.stdout


# MERGED: Writes zips that depend on nothing but their contents: sorted, one date, one mode.

_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX_SYSTEM = 3
_FILE_MODE = 0o100644 << 16


def zip_folder(folder: Path, zipped: Path) -> None:
    """Zip everything below a folder, bytecode included."""
    with ZipFile(zipped, "w") as archive:
        _add_folder(archive, folder)


def extend_zip(source_zip: Path, target_zip: Path, folder: Path) -> None:
    """Copy a zip and add a folder to the copy, without compressing again what is in it already."""
    shutil.copyfile(source_zip, target_zip)
    with ZipFile(target_zip, "a") as archive:
        _add_folder(archive, folder)


def unzip(zipped: Path, folder: Path) -> None:
    """Unpack a zip that we made ourselves."""
    with ZipFile(zipped) as archive:
        archive.extractall(folder)


def unzipped_bytes(path: Path) -> int:
    """Size as Lambda counts it: of a zip's members, or of a folder's files."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    with ZipFile(path) as archive:
        return sum(member.file_size for member in archive.infolist())


def _add_folder(archive: ZipFile, folder: Path) -> None:
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    for name in sorted(paths):
        archive.writestr(_zip_entry(name), paths[name].read_bytes())


def _zip_entry(name: str) -> ZipInfo:
    info = ZipInfo(name, _ZIP_DATE)
    info.compress_type = ZIP_DEFLATED
    info.create_system = _UNIX_SYSTEM
    info.external_attr = _FILE_MODE
    return info


# MERGED: Compiles a folder ahead of time: Lambda cannot write bytecode, so each cold start would compile
#   again.


def compile_folder(folder: Path, target: Target, mounted_at: str) -> None:
    """Put `__pycache__` beside the sources, trusted without looking at their dates.

    Does nothing where no interpreter of the target's version is at hand: the function then compiles itself.
    """
    if target.compiler is None:
        return
    command = [target.compiler, "-m", "compileall", "-qq", "-j", "1", "--invalidation-mode", "unchecked-hash"]
    run_program(
        [*command, "-s", str(folder), "-p", mounted_at, str(folder)],
        failure=f"Some of {mounted_at} does not compile for Python {target.python}:",
        environment={**os.environ, "PYTHONHASHSEED": "0"},
    )


# MERGED: Knows what is still good from the last run, and replaces what is not in one step.


def list_files(folder: Path) -> list[Path]:
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
        for path in list_files(source) if source.is_dir() else [source]:
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"
            digest.update(f"{path.relative_to(source.parent).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def build_if_changed(target: Path, key: str, build: Callable[[Path], None]) -> bool:
    """Have `make` build a file or folder at `place`, unless it is there and was built from `key`.

    `make` is handed a draft path; only a finished draft takes the place. Returns whether it ran.
    """
    key_file = target.with_name(f".{target.name}.key")
    if target.exists() and key_file.exists() and key_file.read_text() == key:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    workspace = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        build(workspace / "draft")
        key_file.unlink(missing_ok=True)
        if target.is_dir():
            target.rename(workspace / "old")
        os.replace(workspace / "draft", target)
        key_file.write_text(key)
    finally:
        shutil.rmtree(workspace)
    return True


@contextmanager
def exclusive_lock(folder: Path) -> Iterator[None]:
    """Let one process at a time work in this folder; the others wait."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
