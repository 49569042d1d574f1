"""One version of one model's files in a folder, addressed by what is in them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vigil.errors import DamagedRelease
from vigil.inference.card import TomlReader, parse_toml
from vigil.toml_file import InvalidToml

CARD_FILE = "card.toml"
RELEASE_FILE = "release.json"


@dataclass(frozen=True, slots=True)
class Release:
    """A model's folder: its card, and the content hash by which results name it.

    digests  sha256 of each file, in hex
    """

    name: str
    id: str
    folder: Path
    card: TomlReader
    digests: Mapping[str, str]

    def file_path(self, name: str) -> Path:
        return self.folder / name

    def read_file(self, name: str) -> bytes:
        """A file's bytes, which are those that it was made with. Raises DamagedRelease."""
        return _read_verified(self.folder, name, self.digests[name], self.id)


def open_release(root: Path, name: str) -> Release:
    """The release of that name under `root`. Raises BadCard where the folder has no card, or DamagedRelease.

    A built release tells its files' digests in release.json; a bare folder is read and hashed.
    """
    folder = root / name
    digests, parts = (
        _read_release_file(folder) if (folder / RELEASE_FILE).is_file() else (file_digests(folder), {})
    )
    release_id = content_id({**digests, **parts})
    if CARD_FILE not in digests:
        raise InvalidToml(f"{folder / CARD_FILE}: there is no such card")
    card = parse_toml(
        str(folder / CARD_FILE), _read_verified(folder, CARD_FILE, digests[CARD_FILE], release_id)
    )
    return Release(name, release_id, folder, card, digests)


def list_parts(card: TomlReader) -> tuple[tuple[str, str], ...]:
    """(role, model) of each part of a composite model's card."""
    if "pipeline.parts" not in card:
        return ()
    return tuple((role, card.get_str(f"pipeline.parts.{role}")) for role in card.get_keys("pipeline.parts"))


def open_part(release: Release, name: str) -> Release:
    """A part of a composite release: its card is the file NAME.toml beside the release's own.

    The part has the whole release's id. Raises BadCard where it is not there: a release that took a part from
    elsewhere would be another one after each deployment.
    """
    file = f"{name}.toml"
    if file not in release.digests:
        raise InvalidToml(f"{release.card.file}: its part {name!r} is not beside it")
    card = parse_toml(str(release.file_path(file)), release.read_file(file))
    return Release(name, release.id, release.folder, card, release.digests)


def file_digests(folder: Path) -> dict[str, str]:
    """sha256 of every file of a release, by name."""
    files = folder.iterdir() if folder.is_dir() else ()
    paths = sorted(path for path in files if path.is_file() and path.name != RELEASE_FILE)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def content_id(digests: Mapping[str, str]) -> str:
    """Sixteen hex digits that change with any byte of any file."""
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def _read_release_file(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The digests of the files, and the ids of the releases that this one is made of."""
    try:
        content = json.loads((folder / RELEASE_FILE).read_text("utf-8"))
        return dict(content["files"]), dict(content["parts"])
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedRelease(folder.name, "", RELEASE_FILE) from error


def _read_verified(folder: Path, name: str, digest: str, release: str) -> bytes:
    """Read once, and hashed while it is at hand: a bit that fell over would change answers unnoticed."""
    try:
        data = (folder / name).read_bytes()
    except FileNotFoundError as error:
        raise DamagedRelease(folder.name, release, name) from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise DamagedRelease(folder.name, release, name)
    return data
