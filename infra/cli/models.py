"""`vigil models`, `label`, `train`, `evaluate`: the life of models, seen and moved by a person."""

import getpass
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cloud.depot import Depot
from cloud.jobs import DynamoJobs
from cloud.library import S3Library
from cloud.lives import DynamoLives
from infra.cli.deployment import Data, Deployment, Stage, reached
from infra.cli.desk import api
from infra.cli.places import BUILD, DATA, ROOT
from infra.cli.saying import fail, out, table
from infra.cli.tables import coloured, number
from vigil.errors import VigilError
from vigil.flow.prune import folder
from vigil.flow.releases import roll_back
from vigil.learn.manifest import read
from vigil_client import Problem

MANIFEST = "manifest.jsonl"
BY_PRICES = "by the example prices in layers/vigil/learn/machines.toml: set yours"
Model = Annotated[str, typer.Argument(help="The model's name.")]
LIKE = {"active": "done", "canary": "rejected", "rejected": "quarantined", "rolled-back": "quarantined"}
"""Coloured as these states of drops are."""


def models(
    back: Annotated[str, typer.Option("--roll-back", help="Put this model's former release back.")] = "",
    stage: Stage = "",
    data: Data = DATA,
) -> None:
    """Each release and training job: where it stands, how it measured, and why it went there.

    Example: ./vigil models --roll-back digits
    """
    cloud = reached(stage, data)
    lives = DynamoLives(cloud.client("dynamodb"), cloud.outputs["RecordsTable"])
    if back and not roll_back(back, lives, now=datetime.now(UTC), reason=f"by {getpass.getuser()}"):
        fail(f"{back} has no former release to go back to")
    made = table("Releases", "model", "release", "stage", ">measured", ">gain", "since", "why")
    for model in lives.models():
        book = lives.book(model)
        for one in sorted(book.standings, key=lambda one: one.life.since):
            life, gain = one.life, one.gain.value if one.gain else None
            why = "; ".join(life.history[-1].reasons) if life.history else ""
            row = (number(one.metric.value, 3), number(gain, 3), f"{life.since:%Y-%m-%d %H:%M}", why)
            made.add_row(model, life.id, coloured(life.stage, LIKE.get(life.stage, "")), *row)
        made.add_row(model, book.pointers.active or "bundled", coloured("answers", "done"), "", "", "", "")
    out.print(made)
    jobs = table(f"Training jobs, dollars {BY_PRICES}", "job", "state", ">usd", "release", "why")
    for kept in DynamoJobs(cloud.client("dynamodb"), cloud.outputs["RecordsTable"]).all():
        why = kept.note or kept.job.text
        jobs.add_row(kept.job.name, kept.job.state, number(kept.usd, 4), kept.release, why)
    out.print(jobs)


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
