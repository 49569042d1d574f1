"""`vigil predict`: run a model on photos on this machine, without a deployment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
from rich.text import Text

from vigil_cli.command_line import Argument, Option
from vigil_cli.console import DIM, err, fail, new_table, out, plain, print_json, styled
from vigil_cli.output_files import different_names, prepare_folder
from vigil_cli.paths import expand_folders

if TYPE_CHECKING:
    from vigil.faces.gallery import Gallery
    from vigil.faces.matching import MatchDecision
    from vigil.inference import types
    from vigil.inference.types import Model
    from vigil_cli.annotate import FaceLabel
    from vigil_cli.offline import PhotoResult

GalleryOption = Option(help="Folder of person/photo to compare faces with.", exists=True, file_okay=False)
DrawOption = Option(help="Folder for copies of the photos with their faces marked, as PNG.")


def predict(
    model: Annotated[str, Argument(help="Name of the model, such as faces.")],
    photos: Annotated[list[Path], Argument(help="Files to process, or folders of them.")],
    *,
    as_json: Annotated[bool, Option(help="Print JSON, one object a file.", flags=("--json",))] = False,
    gallery: Annotated[Path | None, GalleryOption] = None,
    detect: Annotated[str | None, Option(help="Input of the detector: auto, 320, 480, 640 or tiles.")] = None,
    draw: Annotated[Path | None, DrawOption] = None,
) -> None:
    """Run a model on files on this machine, without a deployment: faces in photos, or what its card says.

    The exit code is 1 if no photo could be read.

    Example: ./vigil predict faces photo.jpg --gallery people/
    """
    from vigil_cli.offline import predict_photo

    if draw is not None:
        prepare_folder(draw, "--draw")
    found = list(expand_folders(photos))
    if not found:
        fail(f"there is no file in {', '.join(map(str, photos))}")
    loaded = _load_model(model)
    options: dict[str, types.Option] = {} if detect is None else {"detect": detect}
    known_faces = _load_gallery(loaded, gallery)
    results = (predict_photo(loaded, photo, options, known_faces) for photo in found)
    printed = list(_print_json_lines(results) if as_json else _print_table(results))
    if draw is not None:
        _write_annotated(printed, draw)
    if all(result.error for result in printed):
        raise click.exceptions.Exit(1)


def _load_model(name: str) -> Model:
    """Load a model; build all models first if this machine has none."""
    from vigil.errors import UnknownModel
    from vigil.toml_file import InvalidToml
    from vigil_cli.offline import load_models

    models = load_models()
    if not models.names():
        _build_models()
    try:
        return models.get(name)
    except (UnknownModel, InvalidToml) as error:
        fail(str(error))


def _build_models() -> None:
    from models.build.build import build_all
    from models.build.files import BuildFailure

    try:
        with err.status("building the models") as status:
            build_all(lambda name, doing: status.update(plain(f"{name}: {doing}")))
    except BuildFailure as failure:
        fail(str(failure))


def _load_gallery(model: Model, folder: Path | None) -> Gallery | None:
    from vigil.faces.recognizer import FaceRecognizer
    from vigil_cli.offline import UnusableGallery, gallery_from_folder

    if folder is None:
        return None
    if not isinstance(model, FaceRecognizer):
        fail(f"--gallery works with faces only: {model.name} does not recognise people")
    try:
        with err.status("enrolling") as status:
            return gallery_from_folder(
                model,
                folder,
                on_rejected=lambda text: err.print(text, soft_wrap=True),
                on_progress=lambda text: status.update(plain(text)),
            )
    except UnusableGallery as error:
        fail(str(error))


def _print_json_lines(results: Iterable[PhotoResult]) -> Iterator[PhotoResult]:
    """Print each result as soon as it exists, for readers of a pipe."""
    for result in results:
        print_json([result.as_json()])
        yield result


def _print_table(results: Iterable[PhotoResult]) -> Iterator[PhotoResult]:
    table = new_table("", "photo", "what", ">score", ">quality", ">fmr", "box")
    for result in results:
        name = Path(result.photo).name
        if result.error:
            table.add_row(name, styled("[red]{}[/]: {}", result.error.reason, result.error))
        elif not result.rows:
            table.add_row(name, plain("nothing", DIM))
        for index, row in enumerate(result.rows):
            decision = result.decisions[index] if result.decisions else None
            table.add_row("" if index else name, *_row_cells(row, decision))
        yield result
    out.print(table)


def _row_cells(row: dict[str, Any], decision: MatchDecision | None) -> list[str | Text]:
    """One face or label as the columns of the table; with a gallery, score is the best candidate's."""
    if "label" in row:
        found = row.get("text") or " ".join(str(row[key]) for key in ("label", "value") if key in row)
        place = row.get("box_px") or row.get("span_s") or ([row["row"]] if "row" in row else [])
        score = f"{row['score']:.3f}" if row.get("score") is not None else ""
        return [plain(found), score, "", "", " ".join(f"{edge:.6g}" for edge in place)]
    box = " ".join(f"{edge:.0f}" for edge in row["box"])
    if decision is None:
        return ["face", f"{row['score']:.3f}", f"{row['quality']:.2f}", "", box]
    text = plain(decision.label, "bold green" if decision.status == "known" else "")
    score = "" if decision.score is None else f"{decision.score:.3f}"
    fmr = "" if decision.fmr is None else f"{decision.fmr:.1e}"
    return [text, score, f"{row['quality']:.2f}", fmr, box]


def _write_annotated(results: Iterable[PhotoResult], folder: Path) -> None:
    from vigil_cli.annotate import annotate

    drawn = [one for one in results if one.error is None and one.kind == "faces"]
    photos = [Path(one.photo) for one in drawn]
    for result, photo, name in zip(drawn, photos, different_names(photos, ".png"), strict=True):
        (folder / name).write_bytes(annotate(photo.read_bytes(), _face_labels(result)))


def _face_labels(result: PhotoResult) -> list[FaceLabel]:
    from vigil_cli.annotate import FaceLabel

    if not result.decisions:
        return [FaceLabel(tuple(row["box"]), "face", "unknown", row["score"]) for row in result.rows]
    return [
        FaceLabel(tuple(row["box"]), decision.label, decision.status, decision.score)
        for row, decision in zip(result.rows, result.decisions, strict=True)
    ]
