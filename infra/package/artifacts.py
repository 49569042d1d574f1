"""Files and folders of the package: reproducible zips, bytecode, fingerprints, atomic replacement."""

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

from infra.package.targets import PackagingError, Target

_LAST_LINES = 12


def run_program(
    command: Sequence[str],
    *,
    failure: str,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Return a program's output. Raises PackagingError with `failure` and the last lines of the output."""
    completed = subprocess.run(
        command, check=False, cwd=folder, env=environment, capture_output=True, text=True, errors="replace"
    )
    if completed.returncode != 0:
        last_lines = (completed.stderr or completed.stdout).strip().splitlines()[-_LAST_LINES:]
        raise PackagingError("\n".join([failure, *last_lines]))
    return completed.stdout


_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX_SYSTEM = 3
_FILE_MODE = 0o100644 << 16


def zip_folder(folder: Path, zipped: Path) -> None:
    """Zip a folder with sorted names, one date and one mode: equal contents give equal bytes."""
    with ZipFile(zipped, "w") as archive:
        _add_folder(archive, folder)


def extend_zip(source_zip: Path, target_zip: Path, folder: Path) -> None:
    """Copy a zip and add a folder to the copy, without compressing its members again."""
    shutil.copyfile(source_zip, target_zip)
    with ZipFile(target_zip, "a") as archive:
        _add_folder(archive, folder)


def unzip(zipped: Path, folder: Path) -> None:
    """Unpack a zip of this package."""
    with ZipFile(zipped) as archive:
        archive.extractall(folder)


def unzipped_bytes(path: Path) -> int:
    """Return the size that Lambda counts: that of a zip's members or of a folder's files."""
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


def compile_folder(folder: Path, target: Target, mounted_at: str) -> None:
    """Compile a folder's sources: Lambda cannot write bytecode, so each cold start would compile them.

    Does nothing if this machine has no interpreter of the target's version.
    """
    if target.compiler is None:
        return
    command = [target.compiler, "-m", "compileall", "-qq", "-j", "1", "--invalidation-mode", "unchecked-hash"]
    run_program(
        [*command, "-s", str(folder), "-p", mounted_at, str(folder)],
        failure=f"Some of {mounted_at} does not compile for Python {target.python}:",
        environment={**os.environ, "PYTHONHASHSEED": "0"},
    )


def list_files(folder: Path) -> list[Path]:
    """Return every file below a folder except bytecode, sorted by path."""
    found = [path for path in folder.rglob("*") if "__pycache__" not in path.parts and path.is_file()]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def fingerprint(*sources: Path | str) -> str:
    """Hash words, files and folders (relative paths and bytes); a missing path also changes the hash."""
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
    """Build a file or folder unless it exists and was built from `key`; returns whether `build` ran.

    `build` writes to a draft path, which replaces the target only when it is complete.
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
    """Hold the lock of a folder; other processes wait for it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
