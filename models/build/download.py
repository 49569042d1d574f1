"""Tarballs of npm packages, fetched from the configured registry and checked by their integrity hash."""

import base64
import hashlib
import os
import re
import shutil
import ssl
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from models.build.files import ROOT, BuildFailure, write_file

PUBLIC_REGISTRY = "https://registry.npmjs.org"
"""npm's default."""

FETCH_TIMEOUT_S = 120
CHUNK_BYTES = 2_000_000
"""A download is reported so often."""

DownloadProgress = Callable[[str], None]
"""Called with what is fetched, and how much of it has arrived."""


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


def fetch_tarball(package: NpmPackage, cache: Path, on_progress: DownloadProgress) -> Path:
    """The path of the package's tarball in the cache, fetched if it is not there. Raises BuildFailure."""
    cached = cache / package.file_name
    if cached.exists() and npm_integrity(cached.read_bytes()) == package.integrity:
        return cached
    data = _download(package, on_progress)
    actual = npm_integrity(data)
    if actual != package.integrity:
        raise BuildFailure(
            f"The npm package {package.spec} is not the reviewed one: its integrity is {actual}, "
            f"expected {package.integrity}."
        )
    write_file(cached, data)
    return cached


def npm_integrity(data: bytes) -> str:
    """npm's integrity string of a tarball."""
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def read_member(path: Path, name: str, sha256: str) -> bytes:
    """One file of a tarball. Raises BuildFailure if it is missing or has another hash."""
    with tarfile.open(path) as archive:
        if name not in archive.getnames():
            raise BuildFailure(f"{path.name} holds no {name}.")
        stream = archive.extractfile(name)
        data = stream.read() if stream else b""
    actual = hashlib.sha256(data).hexdigest()
    if actual != sha256:
        raise BuildFailure(f"{name} in {path.name} has sha256 {actual}, expected {sha256}.")
    return data


def registry_url(package: str, environment: Mapping[str, str], npmrc_files: list[Path]) -> str:
    """The registry of a package by npm's rules: its scope's first, then environment before files.

    npmrc_files  in the order of their precedence
    """
    settings = [
        {key.lower(): value for key, value in environment.items() if key.lower() == "npm_config_registry"}
    ]
    settings += [dict(_npmrc_settings(path, environment)) for path in npmrc_files if path.is_file()]
    scope = package.split("/", maxsplit=1)[0] if package.startswith("@") else ""
    for key in (f"{scope}:registry", "npm_config_registry", "registry"):
        for values in settings:
            if key in values:
                return values[key].rstrip("/")
    return PUBLIC_REGISTRY


def _npmrc_settings(path: Path, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for line in path.read_text("utf-8").splitlines():
        key, separator, value = line.partition("=")
        if separator and not line.lstrip().startswith(("#", ";")):
            value = re.sub(r"\$\{(\w+)\}", lambda match: environment.get(match[1], ""), value)
            yield key.strip(), value.strip().strip("\"'")


def _download(package: NpmPackage, on_progress: DownloadProgress) -> bytes:
    """Read the tarball by HTTPS; npm fetches it if the registry refuses and npm is installed."""
    try:
        return _read_tarball(package, on_progress)
    except (OSError, ValueError) as error:
        if npm := shutil.which("npm"):
            on_progress(f"fetching {package.spec} with npm")
            return _npm_pack(npm, package)
        raise BuildFailure(
            f"{package.spec} could not be fetched from the npm registry: {error}. "
            "If the registry needs more than an address, such as a login, install npm and try again."
        ) from error


def _read_tarball(package: NpmPackage, on_progress: DownloadProgress) -> bytes:
    home, environment = Path.home(), os.environ
    files = [ROOT / ".npmrc", Path(environment.get("npm_config_userconfig", home / ".npmrc"))]
    files += map(
        Path,
        [environment.get("npm_config_globalconfig", "/usr/local/etc/npmrc"), "/usr/etc/npmrc", "/etc/npmrc"],
    )
    registry = registry_url(package.name, environment, files)
    context = ssl.create_default_context()
    if authorities := environment.get("NODE_EXTRA_CA_CERTS"):
        context.load_verify_locations(authorities)
    file = f"{package.name.split('/')[-1]}-{package.version}.tgz"
    request = urllib.request.Request(f"{registry}/{package.name}/-/{file}")  # noqa: S310 - the user's registry
    with urllib.request.urlopen(request, timeout=FETCH_TIMEOUT_S, context=context) as response:  # noqa: S310
        total = int(response.headers.get("Content-Length") or 0)
        return b"".join(
            _read_chunks(response, total, lambda text: on_progress(f"fetching {package.spec}: {text}"))
        )


def _read_chunks(stream: IO[bytes], total: int, on_progress: DownloadProgress) -> Iterator[bytes]:
    """The bytes of a stream; `total` is their number, 0 if it is unknown."""
    unit, received = f" of {total / 1e6:.0f} MB" if total else " MB", 0
    while chunk := stream.read(CHUNK_BYTES):
        received += len(chunk)
        on_progress(f"{received / 1e6:.0f}{unit}")
        yield chunk


def _npm_pack(npm: str, package: NpmPackage) -> bytes:
    """Fetch the tarball with npm, without running any script of the package."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--ignore-scripts", "--loglevel=error", "--pack-destination", folder]
        completed = subprocess.run(
            [npm, "pack", package.spec, *options], capture_output=True, text=True, check=False
        )
        packed = sorted(Path(folder).glob("*.tgz"))
        if completed.returncode or not packed:
            lines = [line.removeprefix("npm error ") for line in completed.stderr.splitlines()]
            raise BuildFailure(
                f"npm could not fetch {package.spec}: {'; '.join(lines[:2]) or 'no reason given.'}"
            )
        return packed[0].read_bytes()
