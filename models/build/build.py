"""One card and its published network become one release folder."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from models.build.download import NpmPackage, fetch_tarball, read_member
from models.build.files import exclusive_build, replace_folder
from models.build.files import BuildFailure
from models.build.files import CACHE, CARDS, RELEASES
from models.build.equivalence import check_equivalent
from models.build.graph_rewrites import apply_rewrites
from vigil.inference.release import (
    CARD_FILE,
    RELEASE_FILE,
    content_id,
    open_release,
    list_parts,
)
from vigil.inference.card import TomlReader, load_toml

BuildProgress = Callable[[str, str], None]
"""Told (model, what happens to it now) while a build runs."""

BUILD_CODE = Path(__file__).parent


def build_all(
    on_progress: BuildProgress, *, cards: Path = CARDS, releases: Path = RELEASES, cache: Path = CACHE
) -> list[str]:
    """Build every model whose inputs changed; the names of those that were built."""
    cards_by_name = {
        folder.name: load_toml(folder / CARD_FILE) for folder in sorted(cards.iterdir()) if (folder / CARD_FILE).is_file()
    }
    built: list[str] = []
    with exclusive_build(releases):
        for name in sorted(cards_by_name, key=lambda name: (bool(_part_names(cards_by_name[name])), name)):
            stamp = _input_fingerprint(cards / name, cards_by_name[name], releases)
            if _stored_fingerprint(releases / name) != stamp:
                on_progress(name, "building")
                _build_release(cards / name, cards_by_name[name], stamp, on_progress=on_progress, releases=releases, cache=cache)
                built.append(name)
            on_progress(name, "ready")
    return built


def _build_release(folder: Path, card: TomlReader, stamp: str, *, on_progress: BuildProgress, releases: Path, cache: Path) -> None:
    """Write one release: the card, the network if it has one, and the note with its content hash."""
    file_names = [CARD_FILE, *([card.get_str("network.file")] if "network" in card and "source" not in card else [])]
    files = {name: _read_model_file(folder / name) for name in file_names}
    proof: dict[str, float] = {}
    if "source" in card:
        on_progress(folder.name, "fetching")
        original = _fetch_network(card, cache)
        on_progress(folder.name, "rewriting")
        files[card.get_str("network.file")] = apply_rewrites(original, card.get_strs("source.rewrites"))
        on_progress(folder.name, "proving")
        proof["largest_difference"] = check_equivalent(original, files[card.get_str("network.file")], card)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    parts = {name: open_release(releases, name).id for name in _part_names(card)}
    metadata = {"name": folder.name, "id": content_id({**digests, **parts}), "files": digests, "parts": parts}
    files[RELEASE_FILE] = json.dumps({**metadata, "built_from": stamp, **proof}, indent=1).encode() + b"\n"
    replace_folder(releases / folder.name, files)


def _read_model_file(path: Path) -> bytes:
    if not path.is_file():
        raise BuildFailure(f"{path} is missing: a card without [source] keeps its network beside it.")
    return path.read_bytes()


def _fetch_network(card: TomlReader, cache: Path) -> bytes:
    """The network as its publisher ships it."""
    package = NpmPackage(
        card.get_str("source.package"), card.get_str("source.version"), card.get_str("source.integrity")
    )
    return read_member(fetch_tarball(package, cache), card.get_str("source.member"), card.get_str("source.sha256"))


def _input_fingerprint(folder: Path, card: TomlReader, releases: Path) -> str:
    """A hash of all that a release is made from: its folder, this code, and its parts' releases."""
    digest = hashlib.sha256()
    for path in sorted([*folder.iterdir(), *BUILD_CODE.glob("*.py")]):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    for part in _part_names(card):
        digest.update((_stored_fingerprint(releases / part) or "").encode())
    return digest.hexdigest()


def _part_names(card: TomlReader) -> tuple[str, ...]:
    """The models that this one is made of."""
    return tuple(part for _, part in list_parts(card))


def _stored_fingerprint(release: Path) -> str | None:
    """What a finished release was made from; None where there is none."""
    note = release / RELEASE_FILE
    if not note.is_file():
        return None
    try:
        return str(json.loads(note.read_text("utf-8"))["built_from"])
    except (ValueError, KeyError) as error:
        raise BuildFailure(f"{note} is damaged: remove the folder {release} and build again.") from error
