"""Wheels of PyPI packages, fetched with pip from the configured index and checked by their hash."""

import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.build.files import BuildFailure, write_file

RunPip = Callable[[Sequence[str], Callable[[str], None]], tuple[int, str]]
"""Runs pip with arguments, reports its lines, and returns its exit status and its output."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """One wheel of one version of a package.

    digest  pip's "sha256:..." of the file
    tags    Python, ABI and platform, such as "py3-none-manylinux_2_28_x86_64"
    """

    name: str
    version: str
    digest: str
    tags: str

    @property
    def spec(self) -> str:
        return f"{self.name}=={self.version}"

    @property
    def file_name(self) -> str:
        """As the binary distribution format has it: runs of -, _ and . become one _."""
        return f"{re.sub(r'[-_.]+', '_', self.name).lower()}-{self.version}-{self.tags}.whl"


def run_pip(arguments: Sequence[str], on_line: Callable[[str], None]) -> tuple[int, str]:
    """Port RunPip: this environment's pip."""
    command = [sys.executable, "-m", "pip", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
    ) as process:
        lines: list[str] = []
        for line in process.stdout or ():
            lines.append(line)
            on_line(line.strip())
    return process.returncode, "".join(lines)


def fetch_wheel(wheel: Wheel, cache: Path, on_progress: Callable[[str], None], run: RunPip = run_pip) -> Path:
    """The path of the wheel in the cache, fetched if it is not there. Raises BuildFailure."""
    cached = cache / wheel.file_name
    if cached.exists() and _digest(cached) == wheel.digest:
        return cached
    on_progress(f"fetching {wheel.spec} with pip")
    with tempfile.TemporaryDirectory() as folder:
        write_file(cached, _download(wheel, Path(folder), on_progress, run).read_bytes())
    return cached


def read_wheel_member(path: Path, name: str, sha256: str = "") -> bytes:
    """One file of a wheel. Raises BuildFailure if it is missing or has another hash, if one is given."""
    with zipfile.ZipFile(path) as archive:
        if name not in archive.namelist():
            raise BuildFailure(f"{path.name} holds no {name}.")
        data = archive.read(name)
    actual = hashlib.sha256(data).hexdigest()
    if sha256 and actual != sha256:
        raise BuildFailure(f"{name} in {path.name} has sha256 {actual}, expected {sha256}.")
    return data


def _download(wheel: Wheel, folder: Path, on_progress: Callable[[str], None], run: RunPip) -> Path:
    """Let pip fetch this one file, whichever machine this is, without running code of the package."""
    python, abi, platform = wheel.tags.split("-", maxsplit=2)
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{wheel.spec} --hash={wheel.digest}\n")
    options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--progress-bar=off"]
    if platform != "any":
        options += [f"--abi={abi}", f"--implementation={python[:2]}"]
        options += [f"--platform={one}" for one in platform.split(".")]
    if version := re.fullmatch(r"cp(\d{2,})", python):
        options.append(f"--python-version={version[1]}")
    status, output = run(
        ["download", *options, f"--dest={folder}", f"--requirement={requirements}"],
        lambda line: (
            on_progress(f"fetching {wheel.spec}: {size[1]}")
            if (size := re.search(r"\((\d.*B)\)", line))
            else None
        ),
    )
    found = sorted(folder.glob("*.whl"))
    if status or not found:
        errors = [line.removeprefix("ERROR: ") for line in output.splitlines() if line.startswith("ERROR")]
        raise BuildFailure(f"pip could not fetch {wheel.spec}: {'; '.join(errors[:2]) or 'no reason given.'}")
    return found[0]


def _digest(path: Path) -> str:
    """pip's notation of the sha256 of a file."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
