"""`vigil models new`, `check`, `try` and `add`: a model of one's own from its graph to the deployment."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from vigil_cli.command_line import Argument, Option
from vigil_cli.console import fail, out, print_json
from vigil_cli.paths import ROOT

if TYPE_CHECKING:
    from vigil.inference.release import Release

CARDS = ROOT / "models"
FolderArgument = Annotated[str, Argument(help="Folder of the card, or the name of one in models/.")]


def new(
    name: Annotated[str, Argument(help="Name of the model: lower-case letters, digits and hyphens.")],
    *,
    graph: Annotated[Path, Option(help="The ONNX graph.", flags=("--from",), exists=True, dir_okay=False)],
    folder: Annotated[Path, Option(help="Where the model's folder is made.", default="models/")] = CARDS,
) -> None:
    """Write a draft of a card from a graph; what the graph does not say is marked CHECK.

    Example: ./vigil models new digits --from digits.onnx
    """
    from models.build.draft import draft_files
    from models.build.files import BuildFailure
    from vigil.inference.repository import MODEL_NAME_PATTERN

    if not MODEL_NAME_PATTERN.fullmatch(name):
        fail(f"{name!r} is no name of a model: use lower-case letters, digits and hyphens, such as my-model")
    target = folder / name
    if target.exists():
        fail(f"{target} exists already")
    try:
        files = draft_files(name, graph)
    except BuildFailure as failure:
        fail(str(failure))
    target.mkdir(parents=True)
    for file, data in files.items():
        (target / file).write_bytes(data)
    out.print(f"{target / 'card.toml'} is written. Complete it, then: ./vigil models check {target}")


def check(folder: FolderArgument) -> None:
    """Compare a card with its graph and run an example of its kind of input.

    Example: ./vigil models check digits
    """
    path = _card_folder(folder)
    _checked_files(path)
    out.print(f"{path.name}: the card and its graph fit together")


def try_file(
    folder: FolderArgument,
    file: Annotated[Path, Argument(help="A file of the card's kind of input.", exists=True, dir_okay=False)],
    *,
    golden: Annotated[
        bool, Option(help="Store file and answer beside the card as a golden sample.", flags=("--golden",))
    ] = False,
) -> None:
    """Run a card on a file, and print the answer as JSON with the time of a second run.

    Example: ./vigil models try digits seven.png
    """
    from tempfile import TemporaryDirectory

    from vigil.errors import Rejected
    from vigil.inference.kinds import CARD_KINDS
    from vigil.inference.release import open_release
    from vigil_cli.offline import predict_photo

    path = _card_folder(folder)
    files = _checked_files(path)
    with TemporaryDirectory() as root:
        release = _write_release(Path(root), path.name, files)
        if release.card.pipeline.kind not in CARD_KINDS:
            fail(f"{path.name} is of kind {release.card.pipeline.kind}; use ./vigil predict {path.name}")
        model = CARD_KINDS[release.card.pipeline.kind](release, lambda name: open_release(Path(root), name))
        try:
            model.predict(file.read_bytes(), {}, lambda _: None)
        except Rejected as rejection:
            fail(f"{file}: {rejection.reason}: {rejection}")
        began = time.perf_counter()
        result = predict_photo(model, file, {}, None)
        print_json([{**result.as_json(), "ms": round((time.perf_counter() - began) * 1000, 2)}])
        if golden:
            _store_golden(path, file, result.rows)


def add(folder: FolderArgument) -> None:
    """Check a model, copy its folder into models/ if it is elsewhere, and build it.

    `./vigil up` and `make package` serve it under its name from then on.

    Example: ./vigil models add ../my-models/digits
    """
    from models.build.build import build_all
    from models.build.files import BuildFailure
    from vigil.errors import BrokenRelease

    path = _card_folder(folder)
    _checked_files(path)
    if path.parent.resolve() != CARDS.resolve():
        if (CARDS / path.name).exists():
            fail(f"models/{path.name} exists already; remove it first")
        shutil.copytree(path, CARDS / path.name)
    try:
        built = build_all(lambda name, step: out.print(f"{name}: {step}"))
    except (BuildFailure, BrokenRelease) as failure:
        fail(str(failure))
    state = "is built" if path.name in built else "is up to date"
    out.print(f"{path.name} {state}; try it: ./vigil predict {path.name} FILE")


def _card_folder(name: str) -> Path:
    found = next((path for path in (Path(name), CARDS / name) if (path / "card.toml").is_file()), None)
    if found is None:
        fail(f"there is no card.toml in {name} or models/{name}")
    return found.resolve()


def _checked_files(folder: Path) -> dict[str, bytes]:
    """The files of the release that the folder describes, checked."""
    from models.build.build import collect_files
    from models.build.files import BuildFailure
    from vigil.errors import BrokenRelease
    from vigil.inference.network.check import check_files

    try:
        files = collect_files(folder)
        check_files(folder.name, files)
    except (BuildFailure, BrokenRelease) as failure:
        fail(str(failure))
    return files


def _write_release(root: Path, name: str, files: dict[str, bytes]) -> Release:
    from vigil.inference.release import open_release

    (root / name).mkdir()
    for file, data in files.items():
        (root / name / file).write_bytes(data)
    return open_release(root, name)


def _store_golden(folder: Path, file: Path, rows: tuple[dict[str, object], ...]) -> None:
    """Add a [[sample]] to golden.toml, and the file beside it."""
    import tomllib

    import tomli_w

    path = folder / "golden.toml"
    content = tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
    stored = f"golden{file.suffix}"
    sample = {"file": stored, "labels": [row["label"] for row in rows], "tolerance": 0.01}
    for key, name in (("scores", "score"), ("values", "value"), ("texts", "text")):
        if rows and all(name in row for row in rows):
            sample[key] = [row[name] for row in rows]
    shutil.copy(file, folder / stored)
    path.write_text(tomli_w.dumps({**content, "sample": [*content.get("sample", []), sample]}), "utf-8")
