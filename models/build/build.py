"""Building: a card and its published network become a release folder, if anything changed."""

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from models.build.download import DownloadProgress, NpmPackage, fetch_tarball, read_member
from models.build.equivalence import check_equivalent
from models.build.files import CACHE, CARDS, RELEASES, BuildFailure, exclusive_build, replace_folder
from models.build.graph_rewrites import apply_rewrites
from vigil.inference.card import ModelCard, ModelSource
from vigil.inference.release import CARD_FILE, RELEASE_FILE, content_id, load_card, open_release
from vigil.toml_file import load_toml

BuildProgress = Callable[[str, str], None]
"""Called with a model's name and the step that begins."""

BUILD_CODE = Path(__file__).parent


def build_all(
    on_progress: BuildProgress, *, cards: Path = CARDS, releases: Path = RELEASES, cache: Path = CACHE
) -> list[str]:
    """Build every model whose inputs changed, and return their names. Raises BuildFailure, InvalidToml."""
    paths = sorted(cards.glob(f"*/{CARD_FILE}"))
    card_by_name = {path.parent.name: load_card(path) for path in paths}
    built: list[str] = []
    with exclusive_build(releases):
        for name, card in sorted(card_by_name.items(), key=lambda item: bool(item[1].pipeline.parts)):
            fingerprint = _input_fingerprint(cards / name, card, releases)
            if _stored_fingerprint(releases / name) != fingerprint:
                on_progress(name, "building")
                files, proof = _model_files(cards / name, card, on_progress, cache)
                note = {**_release_note(name, card, files, releases), "built_from": fingerprint, **proof}
                files[RELEASE_FILE] = json.dumps(note, indent=1).encode() + b"\n"
                replace_folder(releases / name, files)
                built.append(name)
    return built


def _model_files(
    folder: Path, card: ModelCard, on_progress: BuildProgress, cache: Path
) -> tuple[dict[str, bytes], dict[str, float]]:
    """The card and its network, and the largest difference of a rewritten network to the published one."""
    files = {CARD_FILE: (folder / CARD_FILE).read_bytes()}
    if card.network is None:
        return files, {}
    if card.source is None:
        path = folder / card.network.file
        if not path.is_file():
            raise BuildFailure(f"{path} is missing: a card without [source] needs its network beside it.")
        return files | {path.name: path.read_bytes()}, {}
    original = _fetch_network(card.source, cache, partial(on_progress, folder.name))
    on_progress(folder.name, "rewriting")
    network = apply_rewrites(original, card.source.rewrites)
    on_progress(folder.name, "comparing")
    difference = check_equivalent(original, network, load_toml(folder / CARD_FILE))
    return files | {card.network.file: network}, {"largest_difference": difference}


def _fetch_network(source: ModelSource, cache: Path, on_progress: DownloadProgress) -> bytes:
    """The network as its publisher ships it."""
    package = NpmPackage(source.package, source.version, source.integrity)
    return read_member(fetch_tarball(package, cache, on_progress), source.member, source.sha256)


def _release_note(name: str, card: ModelCard, files: dict[str, bytes], releases: Path) -> dict[str, object]:
    """Name, id, the digests of the files, and the ids of the parts' releases."""
    digests = {file: hashlib.sha256(data).hexdigest() for file, data in files.items()}
    parts = {part: open_release(releases, part).id for part in card.pipeline.parts.values()}
    return {"name": name, "id": content_id({**digests, **parts}), "files": digests, "parts": parts}


def _input_fingerprint(folder: Path, card: ModelCard, releases: Path) -> str:
    """A hash of all that a release is made from: its folder, this code, and its parts' releases."""
    digest = hashlib.sha256()
    for path in sorted([*folder.iterdir(), *BUILD_CODE.glob("*.py")]):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    for part in card.pipeline.parts.values():
        digest.update((_stored_fingerprint(releases / part) or "").encode())
    return digest.hexdigest()


def _stored_fingerprint(release: Path) -> str | None:
    """The input fingerprint of a built release; None if there is none."""
    note = release / RELEASE_FILE
    if not note.is_file():
        return None
    try:
        return str(json.loads(note.read_text("utf-8"))["built_from"])
    except (ValueError, KeyError) as error:
        raise BuildFailure(f"{note} is damaged: remove the folder {release} and build again.") from error
