"""One card and its published network become one release folder."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from infra.models import atomic, npm
from infra.models.failure import BuildFailure
from infra.models.places import CACHE, CARDS, RELEASES
from infra.models.prove import prove_equal
from infra.models.rewrite import rewritten
from vigil.predict.release import CARD, RELEASE, content_id, digests_of
from vigil.predict.table import BadCard, Table, read

Told = Callable[[str, str], None]
"""Told (model, what happens to it now) while a build runs."""

CODE = Path(__file__).parent


def build_all(
    told: Told, *, cards: Path = CARDS, releases: Path = RELEASES, cache: Path = CACHE
) -> list[str]:
    """Build every model whose inputs changed; the names of those that were built."""
    found = {
        folder.name: read(folder / CARD) for folder in sorted(cards.iterdir()) if (folder / CARD).is_file()
    }
    built: list[str] = []
    for name in sorted(found, key=lambda name: ("parts" in _pipeline(found[name]), name)):
        stamp = _stamp(cards / name, found[name], releases)
        if _built_from(releases / name) != stamp:
            told(name, "building")
            _build(cards / name, found[name], stamp, told=told, releases=releases, cache=cache)
            built.append(name)
        told(name, "ready")
    return built


def _build(folder: Path, card: Table, stamp: str, *, told: Told, releases: Path, cache: Path) -> None:
    """Write one release: the card, the network if it has one, and the note with its content hash."""
    shipped = [CARD, *([card.text("network.file")] if "network" in card and "source" not in card else [])]
    files = {name: _own(folder / name) for name in shipped}
    proof: dict[str, float] = {}
    if "source" in card:
        told(folder.name, "fetching")
        original = _published(card, cache)
        told(folder.name, "rewriting")
        files[card.text("network.file")] = rewritten(original, card.texts("source.rewrites"))
        told(folder.name, "proving")
        proof["largest_difference"] = prove_equal(original, files[card.text("network.file")], card)
    target = releases / folder.name
    atomic.write_folder(target, files)
    digests = digests_of(target)
    note = {"name": folder.name, "id": content_id(digests), "files": digests, "built_from": stamp, **proof}
    atomic.write(target / RELEASE, json.dumps(note, indent=1).encode() + b"\n")


def _own(path: Path) -> bytes:
    if not path.is_file():
        raise BuildFailure(f"{path} is missing: a card without [source] keeps its network beside it.")
    return path.read_bytes()


def _published(card: Table, cache: Path) -> bytes:
    """The network as its publisher ships it."""
    package = npm.Package(
        card.text("source.package"), card.text("source.version"), card.text("source.integrity")
    )
    return npm.member(npm.tarball(package, cache), card.text("source.member"), card.text("source.sha256"))


def _stamp(folder: Path, card: Table, releases: Path) -> str:
    """A hash of all that a release is made from: its folder, this code, and its parts' releases."""
    digest = hashlib.sha256()
    for path in sorted([*folder.iterdir(), *CODE.glob("*.py")]):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    for part in _pipeline(card).get("parts", {}).values():
        digest.update((_built_from(releases / part) or "").encode())
    return digest.hexdigest()


def _pipeline(card: Table) -> dict[str, dict[str, str]]:
    value = card.values.get("pipeline", {})
    if not isinstance(value, dict):
        raise BadCard(f"{card.file}: pipeline must be a table")
    return value


def _built_from(release: Path) -> str | None:
    """What a finished release was made from; None where there is none."""
    note = release / RELEASE
    if not note.is_file():
        return None
    try:
        return str(json.loads(note.read_text("utf-8"))["built_from"])
    except (ValueError, KeyError) as error:
        raise BuildFailure(f"{note} is damaged: remove the folder {release} and build again.") from error
