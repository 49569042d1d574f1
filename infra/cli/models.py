"""`vigil models`, `label`, `train`, `evaluate`: the life of models, seen and moved by a person."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cloud.depot import Depot
from cloud.jobs import DynamoJobs
from cloud.library import S3Library
from cloud.lives import DynamoLives
from cloud.state import States
from cloud.states import load_kept
from infra.cli.deployment import Data, Deployment, Stage, reached
from infra.cli.desk import api
from infra.cli.lives import BY_PRICES, forgotten, history, releases, trainings
from infra.cli.places import BUILD, DATA, ROOT
from infra.cli.saying import fail, out
from vigil.errors import VigilError
from vigil.flow.prune import folder
from vigil.learn.manifest import read
from vigil.learn.pedigree import Pedigree
from vigil_client import Problem, Vigil

MANIFEST = "manifest.jsonl"
UNTRIED = "no release is on record: what ships with this answers; docs/models.md says how another comes in"
Model = Annotated[str, typer.Argument(help="The model's name.")]
Release = Annotated[str, typer.Argument(help="The release, as `vigil models` shows it.")]
Why = Annotated[str, typer.Option("--why", help="Stands in the release's history.", prompt=True)]


def models(
    model: Annotated[str, typer.Argument(help="One model, with each step of its releases.")] = "",
    stage: Stage = "",
    data: Data = DATA,
) -> None:
    """Each release and training job: where it stands, how it measured, and why it went there.

    Example: ./vigil models digits
    """
    cloud = reached(stage, data)
    lives = DynamoLives(cloud.client("dynamodb"), cloud.outputs["RecordsTable"])
    names = [model] if model else lives.models()
    books = [lives.book(name) for name in names]
    states = States(cloud.client("dynamodb"), cloud.outputs["RecordsTable"])
    progress = {release: one for name in names for release, one in load_kept(states, name).progress.items()}
    shown = history(books[0]) if model else releases(books, progress)
    out.print(shown if shown.row_count else UNTRIED)
    for line in forgotten(_pedigrees(cloud, model)) if model else ():
        out.print(f"[yellow]forgotten[/] {line}")
    jobs = DynamoJobs(cloud.client("dynamodb"), cloud.outputs["RecordsTable"])
    taught = trainings(kept for name in names for kept in jobs.of(name))
    if taught.row_count:
        out.print(taught)


def _pedigrees(cloud: Deployment, model: str) -> Iterator[Pedigree]:
    """Of a model's releases that are stored."""
    bucket = cloud.outputs["StoreBucket"]
    stored = S3Library(cloud.client("s3"), bucket).folders(f"releases/{model}")
    return (Depot(cloud.client("s3"), bucket).pedigree(model, release) for release in stored)


def rollback(model: Model, why: Why, stage: Stage = "", data: Data = DATA) -> None:
    """Put a model's former release back.

    Example: ./vigil rollback digits --why "it misses the new door"
    """
    _moved(lambda desk: desk.roll_back(model, why=why), stage, data)


def promote(model: Model, release: Release, why: Why, stage: Stage = "", data: Data = DATA) -> None:
    """Let the release that is being tried answer now, whatever the gates would say.

    Example: ./vigil promote digits 0123456789abcdef --why "seen and judged"
    """
    _moved(lambda desk: desk.promote(model, release, why=why), stage, data)


def reject(model: Model, release: Release, why: Why, stage: Stage = "", data: Data = DATA) -> None:
    """Try a release no further.

    Example: ./vigil reject digits 0123456789abcdef --why "taught on wrong labels"
    """
    _moved(lambda desk: desk.reject(model, release, why=why), stage, data)


def _moved(decide: Callable[[Vigil], Mapping[str, Any]], stage: str, data: Path) -> None:
    try:
        told = decide(api(stage, data, "admin"))
    except Problem as problem:
        fail(str(problem))
    for release, now in told["stages"].items():
        out.print(f"{told['model']} {release} is {now}")


def label(
    drop: Annotated[str, typer.Argument(help="A drop's id.")],
    text: Annotated[str, typer.Argument(metavar="LABEL", help="What it shows.")],
    stage: Stage = "",
    data: Data = DATA,
) -> None:
    """Say what a drop shows: the next data set takes it up.

    Example: ./vigil label 0123456789abcdef0123456789abcdef seven
    """
    try:
        api(stage, data, "reviewer").label(drop, text)
    except Problem as problem:
        fail(str(problem))
    out.print(f"{drop} shows {text}")


def train(
    model: Model,
    recipe: Annotated[Path | None, typer.Option(help="A recipe; without one, the last one given.")] = None,
    stage: Stage = "",
    data: Data = DATA,
) -> None:
    """Make a data set of what is labelled now, and order a training job; the same again is the same job.

    Example: ./vigil train digits --recipe recipe.toml
    """
    cloud = reached(stage, data)
    asked = {"model": model} | ({"recipe": recipe.read_text("utf-8")} if recipe else {})
    reply = cloud.patient.invoke(
        FunctionName=cloud.outputs["TrainFunction"], Payload=json.dumps(asked).encode()
    )
    told = json.loads(reply["Payload"].read())
    if "job" not in told:
        fail(str(told.get("error", told)))
    cost = f"estimated at ${told['expected_usd']}, at most ${told['most_usd']}"
    out.print(f"{told['job']} is {told['state']}, on data set {told['data']}; {cost} {BY_PRICES}")


def evaluate(
    model: Model,
    dataset: Annotated[str, typer.Argument(help="A data set's id, or a folder with one split.")],
    release: Annotated[str, typer.Option(help="Without one, the release that is active.")] = "",
    stage: Stage = "",
    data: Data = DATA,
) -> None:
    """Measure a release on held-out pictures: figures with intervals, by slice, and a page with plots.

    Example: ./vigil evaluate digits pictures/test
    """
    with tempfile.TemporaryDirectory() as place:
        split, releases = Path(dataset), BUILD / "models"
        if not split.is_dir():
            split, releases = Path(place) / "test", Path(place)
            _fetched(reached(stage, data), model, dataset, release, Path(place))
        words = ("-m", "infra.evaluate", model, str(split), "--models", str(releases))
        raise typer.Exit(subprocess.run([sys.executable, *words], cwd=ROOT, check=False).returncode)


def _fetched(cloud: Deployment, model: str, dataset: str, release: str, place: Path) -> None:
    """The test split and the release, in folders."""
    library = S3Library(cloud.client("s3"), cloud.outputs["StoreBucket"])
    lives = DynamoLives(cloud.client("dynamodb"), cloud.outputs["RecordsTable"])
    wanted = release or lives.book(model).pointers.active
    if not wanted:
        fail(f"{model} has only its bundled release: give a folder of pictures instead")
    where, test = f"{folder(model, dataset)}/test", place / "test"
    for made in (test, place / model):
        made.mkdir()
    try:
        text = library.get(f"{where}/{MANIFEST}").decode()
        for entry in read(text):
            (test / entry.object).write_bytes(library.get(f"{where}/{entry.object}"))
        Depot(cloud.client("s3"), cloud.outputs["StoreBucket"]).fetch(model, wanted, place / model)
    except VigilError as error:
        fail(str(error))
    (test / MANIFEST).write_text(text, "utf-8")
