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
from vigil.predict.release import CARD, RELEASE, content_id, open_release, parts_of
from vigil.predict.table import Table, read

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
    with atomic.alone(releases):
        for name in sorted(found, key=lambda name: (bool(_parts(found[name])), name)):
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
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    parts = {name: open_release(releases, name).id for name in _parts(card)}
    note = {"name": folder.name, "id": content_id({**digests, **parts}), "files": digests, "parts": parts}
    files[RELEASE] = json.dumps({**note, "built_from": stamp, **proof}, indent=1).encode() + b"\n"
    atomic.write_folder(releases / folder.name, files)


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
    for part in _parts(card):
        digest.update((_built_from(releases / part) or "").encode())
    return digest.hexdigest()


def _parts(card: Table) -> tuple[str, ...]:
    """The models that this one is made of."""
    return tuple(part for _, part in parts_of(card))


def _built_from(release: Path) -> str | None:
    """What a finished release was made from; None where there is none."""
    note = release / RELEASE
    if not note.is_file():
        return None
    try:
        return str(json.loads(note.read_text("utf-8"))["built_from"])
    except (ValueError, KeyError) as error:
        raise BuildFailure(f"{note} is damaged: remove the folder {release} and build again.") from error
