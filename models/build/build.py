"""Building: a card and its published network become a release folder, if anything changed."""

import hashlib
import json
import shutil
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from msgspec import structs

from models.build.conversions import convert
from models.build.download import DownloadProgress, NpmPackage, fetch_tarball, read_member
from models.build.equivalence import check_equivalent
from models.build.files import CACHE, CARDS, RELEASES, BuildFailure, exclusive_build, replace_folder
from models.build.graph_rewrites import apply_rewrites
from models.build.selection import select_models
from models.build.wheels import Wheel, fetch_wheel, read_wheel_member
from vigil.inference.card import ModelCard, ModelSource, SourceFile
from vigil.inference.network.check import check_files
from vigil.inference.release import CARD_FILE, RELEASE_FILE, content_id, load_card, open_release
from vigil.toml_file import load_toml

BuildProgress = Callable[[str, str], None]
"""Called with a model's name and the step that begins."""

BUILD_CODE = Path(__file__).parent

NOT_SHIPPED = frozenset({CARD_FILE, "golden.toml", "README.md", "recipe.toml"})


def build_all(
    on_progress: BuildProgress,
    *,
    names: Collection[str] = (),
    cards: Path = CARDS,
    releases: Path = RELEASES,
    cache: Path = CACHE,
) -> list[str]:
    """Build every selected model whose inputs changed, and return their names.

    names   the models that the deployment has, and no others; without names, those that it had, and the
            models that each deployment has
    raises  BuildFailure, InvalidToml
    """
    card_by_name = {path.parent.name: load_card(path) for path in sorted(cards.glob(f"*/{CARD_FILE}"))}
    built: list[str] = []
    with exclusive_build(releases):
        before = {folder.name: folder for folder in releases.iterdir()} if releases.is_dir() else {}
        selected = select_models(card_by_name, names, before)
        for name in before.keys() - selected.keys() if names else ():
            shutil.rmtree(before[name])
        for name, card in sorted(selected.items(), key=lambda item: bool(item[1].pipeline.parts)):
            fingerprint = _input_fingerprint(cards / name, card, releases)
            if _stored_fingerprint(releases / name) != fingerprint:
                on_progress(name, "building")
                files, proof = _model_files(cards / name, card, on_progress, cache)
                check_files(name, files)
                note = {**_release_note(name, card, files, releases), "built_from": fingerprint, **proof}
                files[RELEASE_FILE] = json.dumps(note, indent=1).encode() + b"\n"
                replace_folder(releases / name, files)
                built.append(name)
    return built


def collect_files(folder: Path, cache: Path = CACHE) -> dict[str, bytes]:
    """The files of the release of a card's folder. Raises BuildFailure, InvalidToml."""
    return _model_files(folder, load_card(folder / CARD_FILE), lambda *_: None, cache)[0]


def _model_files(
    folder: Path, card: ModelCard, on_progress: BuildProgress, cache: Path
) -> tuple[dict[str, bytes], dict[str, float]]:
    """The card and the files that it names, and the largest difference of a rewritten network."""
    report = partial(on_progress, folder.name)
    files = {CARD_FILE: (folder / CARD_FILE).read_bytes()}
    files |= {name: fetch_file(asset, cache, report) for name, asset in card.assets.items()}
    files |= {path.name: path.read_bytes() for path in _shipped_files(folder, card.source)}
    if card.network is None or card.source is None:
        if card.network is not None and card.network.file not in files:
            path = folder / card.network.file
            raise BuildFailure(f"{path} is missing: a card without [source] needs its network beside it.")
        return files, {}
    network, proof = _build_network(folder, card.source, report, cache)
    return files | {card.network.file: network}, proof


def _build_network(
    folder: Path, source: ModelSource, on_progress: DownloadProgress, cache: Path
) -> tuple[bytes, dict[str, float]]:
    """The published network, converted and rewritten, and how much the rewrites changed its outputs."""
    published = [fetch_file(source, cache, on_progress)]
    for part in source.parts:
        member = structs.replace(source, member=part.member, sha256=part.sha256)
        data = (folder / part.file).read_bytes() if part.file else b""
        published.append(data or fetch_file(member, cache, on_progress))
    on_progress("converting" if source.conversion else "rewriting")
    original = convert(source.conversion, published)
    if not source.rewrites:
        return original, {}
    network = apply_rewrites(original, source.rewrites)
    on_progress("comparing")
    return network, {"largest_difference": check_equivalent(original, network, load_toml(folder / CARD_FILE))}


def _shipped_files(folder: Path, source: ModelSource | None) -> list[Path]:
    """What the release has besides its card; what only the build, the tests and readers use stays here."""
    unshipped = NOT_SHIPPED | {part.file for part in (source.parts if source else ())}
    paths = [path for path in sorted(folder.iterdir()) if path.is_file()]
    return [path for path in paths if path.name not in unshipped and not path.name.startswith(".")]


def fetch_file(file: SourceFile, cache: Path, on_progress: DownloadProgress) -> bytes:
    """One file as its publisher ships it, from the cache if it is there."""
    if file.registry == "npm":
        package = NpmPackage(file.package, file.version, file.integrity)
        return read_member(fetch_tarball(package, cache, on_progress), file.member, file.sha256)
    wheel = Wheel(file.package, file.version, file.integrity, file.tags)
    return read_wheel_member(fetch_wheel(wheel, cache, on_progress), file.member, file.sha256)


def _release_note(name: str, card: ModelCard, files: dict[str, bytes], releases: Path) -> dict[str, object]:
    """Name, id, the digests of the files, and the ids of the parts' releases."""
    digests = {file: hashlib.sha256(data).hexdigest() for file, data in files.items()}
    parts = {part: open_release(releases, part).id for part in card.pipeline.parts.values()}
    return {"name": name, "id": content_id({**digests, **parts}), "files": digests, "parts": parts}


def _input_fingerprint(folder: Path, card: ModelCard, releases: Path) -> str:
    """A hash of all that a release is made from: its folder, this code, and its parts' releases."""
    digest = hashlib.sha256()
    for path in sorted([*folder.iterdir(), *BUILD_CODE.rglob("*.py")]):
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
