"""A release: one version of one model's files in a folder, identified by a hash of their content."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from vigil.errors import DamagedRelease
from vigil.inference.card import ModelCard
from vigil.toml_file import InvalidToml, TomlFile, load_toml, parse_toml

Card = TypeVar("Card", bound=ModelCard)

CARD_FILE = "card.toml"
RELEASE_FILE = "release.json"


@dataclass(frozen=True, slots=True)
class Release:
    """A model's folder with its card and its content hash.

    card_file  the whole card, of which `card` holds the tables that all kinds of models share
    digests    sha256 of each file, in hex
    """

    name: str
    id: str
    folder: Path
    card_file: TomlFile
    card: ModelCard
    digests: Mapping[str, str]

    def file_path(self, name: str) -> Path:
        return self.folder / name

    def read_file(self, name: str) -> bytes:
        """A file's verified bytes. Raises DamagedRelease if they are not those of the release."""
        return _read_verified(self.folder, name, self.digests[name], self.id)

    def convert_card(self, kind: type[Card]) -> Card:
        """The card as that of a kind of model. Raises InvalidToml."""
        return self.card_file.convert(kind)


def load_card(path: Path) -> ModelCard:
    """The tables that all kinds of models share. Raises InvalidToml."""
    return load_toml(path).convert(ModelCard)


def open_release(root: Path, name: str) -> Release:
    """The release in the folder `root`/`name`. Raises InvalidToml for its card, or DamagedRelease.

    A built release has its files' digests in release.json; other folders are hashed here.
    """
    folder = root / name
    digests, parts = (
        _read_release_file(folder) if (folder / RELEASE_FILE).is_file() else (file_digests(folder), {})
    )
    release_id = content_id({**digests, **parts})
    path = folder / CARD_FILE
    if CARD_FILE not in digests:
        raise InvalidToml(f"{path}: there is no such file")
    card_file = parse_toml(str(path), _read_verified(folder, CARD_FILE, digests[CARD_FILE], release_id))
    return Release(name, release_id, folder, card_file, card_file.convert(ModelCard), digests)


def open_part(release: Release, name: str) -> Release:
    """A part of a composite release, whose card is the file NAME.toml beside the release's own.

    The part has the id of the whole release. Raises InvalidToml if the file is missing: parts are never
    taken from elsewhere, as the release would then change with each deployment.
    """
    file = f"{name}.toml"
    if file not in release.digests:
        raise InvalidToml(f"{release.card_file.file}: the card {file} of a part is not beside it")
    card_file = parse_toml(str(release.file_path(file)), release.read_file(file))
    return replace(release, name=name, card_file=card_file, card=card_file.convert(ModelCard))


def file_digests(folder: Path) -> dict[str, str]:
    """sha256 of every file of a release, by name."""
    files = folder.iterdir() if folder.is_dir() else ()
    paths = sorted(path for path in files if path.is_file() and path.name != RELEASE_FILE)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def content_id(digests: Mapping[str, str]) -> str:
    """32 hex digits (128 bits): nobody can make other files with the same id."""
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:32]


def _read_release_file(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The digests of the files, and the ids of the releases that this one is composed of."""
    try:
        content = json.loads((folder / RELEASE_FILE).read_text("utf-8"))
        return dict(content["files"]), dict(content["parts"])
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedRelease(folder.name, "", RELEASE_FILE) from error


def _read_verified(folder: Path, name: str, digest: str, release: str) -> bytes:
    """Hash the very bytes that are used: a flipped bit would change results without an error."""
    try:
        data = (folder / name).read_bytes()
    except FileNotFoundError as error:
        raise DamagedRelease(folder.name, release, name) from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise DamagedRelease(folder.name, release, name)
    return data
