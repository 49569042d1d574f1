"""One version of one model's files in a folder, addressed by what is in them."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from vigil.predict.table import BadCard, Table, read

CARD = "card.toml"
RELEASE = "release.json"


@dataclass(frozen=True, slots=True)
class Release:
    """A model's folder: its card, and the content hash by which results name it."""

    name: str
    id: str
    folder: Path
    card: Table

    def file(self, name: str) -> Path:
        return self.folder / name


def open_release(root: Path, name: str) -> Release:
    """The release of that name under `root`. Raises BadCard where the folder is incomplete."""
    folder = root / name
    card = read(folder / CARD)
    known = folder / RELEASE
    return Release(name, _told_id(known) if known.exists() else content_id(folder), folder, card)


def content_id(folder: Path) -> str:
    """Sixteen hex digits that change with any byte of any file of the release."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file() and path.name != RELEASE):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _told_id(path: Path) -> str:
    try:
        return str(json.loads(path.read_text("utf-8"))["id"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadCard(f"{path}: not a release note with an id") from error
