"""One version of one model's files in a folder, addressed by what is in them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vigil.predict.table import BadCard, Table, read

CARD = "card.toml"
RELEASE = "release.json"


@dataclass(frozen=True, slots=True)
class Release:
    """A model's folder: its card, and the content hash by which results name it.

    digests  sha256 of each file, in hex
    """

    name: str
    id: str
    folder: Path
    card: Table
    digests: Mapping[str, str]

    def file(self, name: str) -> Path:
        return self.folder / name


def open_release(root: Path, name: str) -> Release:
    """The release of that name under `root`. Raises BadCard where the folder is incomplete.

    A built release tells its files' digests in release.json; a bare folder is read and hashed.
    """
    folder = root / name
    card = read(folder / CARD)
    told = folder / RELEASE
    digests, parts = _told(told) if told.exists() else (digests_of(folder), {})
    return Release(name, content_id({**digests, **parts}), folder, card, digests)


def digests_of(folder: Path) -> dict[str, str]:
    """sha256 of every file of a release, by name."""
    paths = sorted(path for path in folder.iterdir() if path.is_file() and path.name != RELEASE)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def content_id(digests: Mapping[str, str]) -> str:
    """Sixteen hex digits that change with any byte of any file."""
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def _told(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The digests of the files, and the ids of the releases that this one is made of."""
    try:
        note = json.loads(path.read_text("utf-8"))
        return dict(note["files"]), dict(note["parts"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadCard(f"{path}: not a release note with files and parts") from error
