"""`vigil predict`: what a model says of photos, on this machine, without any cloud."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from infra.cli.draw import Label, annotate
from infra.cli.recognise import Answer, answer, enrolled, shelf
from infra.cli.saying import err, fail, out, table
from vigil.errors import UnknownModel
from vigil.faces.gallery import Gallery
from vigil.faces.match import Verdict
from vigil.faces.pipeline import FacesModel
from vigil.predict.table import BadCard
from vigil.seeing import Model, Option

Folder = typer.Option(help="Folder of person/photo to compare faces with.", exists=True, file_okay=False)
Drawn = typer.Option(help="Folder for the photos with their faces marked, as PNG.")


def predict(
    model: Annotated[str, typer.Argument(help="Name of the model: faces, or a classifier of yours.")],
    photos: Annotated[list[Path], typer.Argument(help="Photos to look at.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    gallery: Annotated[Path | None, Folder] = None,
    detect: Annotated[str | None, typer.Option(help="Detector's input: 320, 480, 640 or tiles.")] = None,
    draw: Annotated[Path | None, Drawn] = None,
) -> None:
    """Say who or what is in photos, without any cloud. Exits with 1 only if no photo could be read.

    Example: ./vigil predict faces photo.jpg --gallery people/
    """
    loaded = _model(model)
    options: dict[str, Option] = {} if detect is None else {"detect": detect}
    known = _gallery(loaded, gallery)
    answers = (answer(loaded, photo, options, known) for photo in photos)
    said = list(_as_lines(answers) if as_json else _as_table(answers))
    if draw is not None:
        _draw(said, draw)
    if all(one.error for one in said):
        raise typer.Exit(1)


def _model(name: str) -> Model:
    """The model, built first where this machine has none yet."""
    models = shelf()
    if not models.names():
        _build()
    try:
        return models.get(name)
    except (UnknownModel, BadCard) as error:
        fail(str(error))


def _build() -> None:
    from infra.models.build import build_all  # noqa: PLC0415 - onnx is heavy, and rarely needed here
    from infra.models.failure import BuildFailure  # noqa: PLC0415

    try:
        with err.status("preparing the models") as status:
            build_all(lambda name, doing: status.update(f"{name}: {doing}"))
    except BuildFailure as failure:
        fail(str(failure))


def _gallery(model: Model, folder: Path | None) -> Gallery | None:
    if folder is None:
        return None
    if not isinstance(model, FacesModel):
        fail(f"--gallery is for faces; {model.name} knows no people")
    with err.status("enrolling") as status:
        return enrolled(model, folder, refused=err.print, doing=status.update)


def _as_lines(answers: Iterable[Answer]) -> Iterator[Answer]:
    """Each answer as soon as it is there, so that a reader of a pipe need not wait for the last."""
    for one in answers:
        typer.echo(json.dumps(one.as_json(), ensure_ascii=False))
        yield one


def _as_table(answers: Iterable[Answer]) -> Iterator[Answer]:
    made = table("", "photo", "what", ">score", ">quality", ">fmr", "box")
    for one in answers:
        name = Path(one.photo).name
        if one.error:
            made.add_row(name, f"[red]{one.error.reason}[/]: {one.error}")
        elif not one.rows:
            made.add_row(name, "[dim]no face[/]")
        for place, row in enumerate(one.rows):
            verdict = one.verdicts[place] if one.verdicts else None
            made.add_row("" if place else name, *_cells(row, verdict))
        yield one
    out.print(made)


def _cells(row: dict[str, Any], verdict: Verdict | None) -> list[str]:
    """One face or label as the columns of the table; with a gallery, score is the best candidate's."""
    if "label" in row:
        return [row["label"], f"{row['score']:.3f}", "", "", ""]
    box = " ".join(f"{edge:.0f}" for edge in row["box"])
    if verdict is None:
        return ["face", f"{row['score']:.3f}", f"{row['quality']:.2f}", "", box]
    what = f"[bold green]{verdict.label}[/]" if verdict.status == "known" else verdict.label
    score = "" if verdict.score is None else f"{verdict.score:.3f}"
    fmr = "" if verdict.fmr is None else f"{verdict.fmr:.1e}"
    return [what, score, f"{row['quality']:.2f}", fmr, box]


def _draw(answers: Iterable[Answer], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for one in answers:
        if one.error is None and one.kind == "faces":
            photo = Path(one.photo)
            (folder / f"{photo.stem}.png").write_bytes(annotate(photo.read_bytes(), _labels(one)))


def _labels(one: Answer) -> list[Label]:
    if not one.verdicts:
        return [Label(tuple(row["box"]), "face", "unknown", row["score"]) for row in one.rows]
    return [
        Label(tuple(row["box"]), verdict.label, verdict.status, verdict.score)
        for row, verdict in zip(one.rows, one.verdicts, strict=True)
    ]
