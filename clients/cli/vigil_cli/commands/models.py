"""`vigil models`, `label`, `train`, `evaluate`: the life of models, seen and moved by a person."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cloud.dynamodb.maintenance_state import load_reembedding_state
from cloud.dynamodb.releases import DynamoReleases
from cloud.dynamodb.state import DynamoStateStore
from cloud.dynamodb.training_jobs import DynamoTrainingJobs
from cloud.s3.objects import S3ObjectStore
from cloud.s3.releases import S3ReleaseStore
from models.build.compose import compose_release
from vigil.errors import VigilError
from vigil.inference.card import load_toml
from vigil.inference.release import CARD_FILE
from vigil.releases.manifest import ReleaseManifest
from vigil.training.dataset import parse_manifest
from vigil.training.dataset_store import dataset_prefix
from vigil_cli.commands.people import api_client
from vigil_cli.console import fail, out
from vigil_cli.deployment import (
    DataOption,
    Deployment,
    StageOption,
    connect,
)
from vigil_cli.paths import BUILD, DATA, ROOT
from vigil_cli.tables import (
    PRICES_NOTE,
    history_table,
    releases_table,
    removed_data_warnings,
    trainings_table,
)
from vigil_client import Problem, Vigil

DATASET_MANIFEST = "manifest.jsonl"
NO_RELEASES = (
    "no release is on record: what ships with this answers; docs/models.md says how another comes in"
)
ModelArgument = Annotated[str, typer.Argument(help="The model's name.")]
ReleaseArgument = Annotated[str, typer.Argument(help="The release, as `vigil models` shows it.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Stands in the release's history.", prompt=True)]


def models(
    model: Annotated[str, typer.Argument(help="One model, with each step of its releases.")] = "",
    stage: StageOption = "",
    data: DataOption = DATA,
) -> None:
    """Each release and training job: where it stands, how it measured, and why it went there.

    Example: ./vigil models digits
    """
    cloud = connect(stage, data)
    repository = DynamoReleases(cloud.client("dynamodb"), cloud.outputs["RecordsTable"])
    names = [model] if model else repository.models()
    by_model = [repository.read_releases(name) for name in names]
    states = DynamoStateStore(cloud.client("dynamodb"), cloud.outputs["RecordsTable"])
    progress = {
        release: model_progress
        for name in names
        for release, model_progress in load_reembedding_state(states, name).progress.items()
    }
    table = history_table(by_model[0]) if model else releases_table(by_model, progress)
    out.print(table if table.row_count else NO_RELEASES)
    for line in removed_data_warnings(_release_manifests(cloud, model)) if model else ():
        out.print(f"[yellow]forgotten[/] {line}")
    jobs = DynamoTrainingJobs(cloud.client("dynamodb"), cloud.outputs["RecordsTable"])
    jobs_table = trainings_table(job for name in names for job in jobs.for_model(name))
    if jobs_table.row_count:
        out.print(jobs_table)


def _release_manifests(cloud: Deployment, model: str) -> Iterator[ReleaseManifest]:
    """Of a model's releases that are stored."""
    bucket = cloud.outputs["StoreBucket"]
    release_ids = S3ObjectStore(cloud.client("s3"), bucket).list_folders(f"releases/{model}")
    return (
        S3ReleaseStore(cloud.client("s3"), bucket).read_manifest(model, release) for release in release_ids
    )


def rollback(
    model: ModelArgument, reason: ReasonOption, stage: StageOption = "", data: DataOption = DATA
) -> None:
    """Put a model's former release back.

    Example: ./vigil rollback digits --reason "it misses the new door"
    """
    _apply_decision(lambda client: client.roll_back_model(model, reason=reason), stage, data)


def promote(
    model: ModelArgument,
    release: ReleaseArgument,
    reason: ReasonOption,
    stage: StageOption = "",
    data: DataOption = DATA,
) -> None:
    """Let the release that is being tried answer now, whatever the gates would say.

    Example: ./vigil promote digits 0123456789abcdef --reason "seen and judged"
    """
    _apply_decision(lambda client: client.promote_release(model, release, reason=reason), stage, data)


def reject(
    model: ModelArgument,
    release: ReleaseArgument,
    reason: ReasonOption,
    stage: StageOption = "",
    data: DataOption = DATA,
) -> None:
    """Try a release no further.

    Example: ./vigil reject digits 0123456789abcdef --reason "taught on wrong labels"
    """
    _apply_decision(lambda client: client.reject_release(model, release, reason=reason), stage, data)


def _apply_decision(decide: Callable[[Vigil], Mapping[str, Any]], stage: str, data: Path) -> None:
    try:
        result = decide(api_client(stage, data, "admin"))
    except Problem as problem:
        fail(str(problem))
    for release, now in result["stages"].items():
        out.print(f"{result['model']} {release} is {now}")


def label(
    drop_id: Annotated[str, typer.Argument(help="A drop's id.")],
    text: Annotated[str, typer.Argument(metavar="LABEL", help="What it shows.")],
    stage: StageOption = "",
    data: DataOption = DATA,
) -> None:
    """Say what a drop shows: the next data set takes it up.

    Example: ./vigil label 0123456789abcdef0123456789abcdef seven
    """
    try:
        api_client(stage, data, "reviewer").label_drop(drop_id, text)
    except Problem as problem:
        fail(str(problem))
    out.print(f"{drop_id} shows {text}")


def train(
    model: ModelArgument,
    recipe: Annotated[Path | None, typer.Option(help="A recipe; without one, the last one given.")] = None,
    stage: StageOption = "",
    data: DataOption = DATA,
) -> None:
    """Make a data set of what is labelled now, and order a training job; the same again is the same job.

    Example: ./vigil train digits --recipe recipe.toml
    """
    cloud = connect(stage, data)
    request = {"model": model} | ({"recipe": recipe.read_text("utf-8")} if recipe else {})
    response = cloud.slow_lambda_client.invoke(
        FunctionName=cloud.outputs["TrainFunction"], Payload=json.dumps(request).encode()
    )
    result = json.loads(response["Payload"].read())
    if "job" not in result:
        fail(str(result.get("error", result)))
    cost = f"estimated at ${result['expected_usd']}, at most ${result['max_usd']}"
    out.print(f"{result['job']} is {result['state']}, on data set {result['data']}; {cost} {PRICES_NOTE}")


def evaluate(
    model: ModelArgument,
    dataset: Annotated[str, typer.Argument(help="A data set's id, or a folder with one split.")],
    release: Annotated[str, typer.Option(help="Without one, the release that is active.")] = "",
    stage: StageOption = "",
    data: DataOption = DATA,
) -> None:
    """Measure a release on held-out pictures: figures with intervals, by slice, and a page with plots.

    Example: ./vigil evaluate digits pictures/test
    """
    with tempfile.TemporaryDirectory() as folder_name:
        split, releases = Path(dataset), BUILD / "models"
        if not split.is_dir():
            split, releases = Path(folder_name) / "test", Path(folder_name)
            _fetch_dataset_and_release(connect(stage, data), model, dataset, release, Path(folder_name))
        arguments = ("-m", "models.evaluation", model, str(split), "--models", str(releases))
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        finished = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, check=False)
        raise typer.Exit(finished.returncode)


def _fetch_dataset_and_release(
    cloud: Deployment, model: str, dataset: str, release: str, target: Path
) -> None:
    """The test split and the release, in folders."""
    library = S3ObjectStore(cloud.client("s3"), cloud.outputs["StoreBucket"])
    repository = DynamoReleases(cloud.client("dynamodb"), cloud.outputs["RecordsTable"])
    release_id = release or repository.read_releases(model).pointers.active
    if not release_id:
        fail(f"{model} has only its bundled release: give a folder of pictures instead")
    test_prefix, test = f"{dataset_prefix(model, dataset)}/test", target / "test"
    for subfolder in (test, target / model):
        subfolder.mkdir()
    try:
        text = library.get_object(f"{test_prefix}/{DATASET_MANIFEST}").decode()
        for entry in parse_manifest(text):
            (test / entry.key).write_bytes(library.get_object(f"{test_prefix}/{entry.key}"))
        S3ReleaseStore(cloud.client("s3"), cloud.outputs["StoreBucket"]).fetch(
            model, release_id, target / model
        )
    except VigilError as error:
        fail(str(error))
    (test / DATASET_MANIFEST).write_text(text, "utf-8")


# MERGED: `vigil offer`: a release that was made elsewhere goes the way of every release.


def offer(
    model: Annotated[str, typer.Argument(help="The model's name.")],
    folder: Annotated[Path, typer.Argument(help="card.toml and its graph.", exists=True, file_okay=False)],
    stage: StageOption = "",
    data: DataOption = DATA,
) -> None:
    """Examine a release that was made elsewhere, and put it on record; what follows, follows by itself.

    A part of a composite model, such as another embedding for faces, is offered with the parts beside it as
    they are bundled.

    Example: ./vigil offer digits build/models/digits
    """
    result = submit_release(connect(stage, data), model, release_files(model, folder))
    if "release" not in result:
        fail(str(result.get("error", result)))
    out.print(f"release {result['release']} of {model} is on record; measured {result['metric']}")


def release_files(model: str, folder: Path) -> dict[str, bytes]:
    """A release's files; of a part of the model, those of the whole."""
    if load_toml(folder / CARD_FILE).get_str("pipeline.kind") == "part":
        return compose_release(model, folder)
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def submit_release(cloud: Deployment, model: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    """{"release", "metric"}, or {"error"}: what the examination says of a release's files."""
    archive = pack_archive(model, files)
    key = f"submissions/{model}/{hashlib.sha256(archive).hexdigest()[:16]}.tar.gz"
    S3ObjectStore(cloud.client("s3"), cloud.outputs["StoreBucket"]).put_object(key, archive)
    request = json.dumps({"model": model, "archive_key": key}).encode()
    response = cloud.slow_lambda_client.invoke(FunctionName=cloud.outputs["TrainFunction"], Payload=request)
    result: dict[str, Any] = json.loads(response["Payload"].read())
    return result


def pack_archive(model: str, files: Mapping[str, bytes]) -> bytes:
    """As a training job leaves it: model.tar.gz with one folder."""
    packed_bytes = io.BytesIO()
    with tarfile.open(fileobj=packed_bytes, mode="w:gz") as archive:
        for name, body in sorted(files.items()):
            member = tarfile.TarInfo(f"{model}/{name}")
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return packed_bytes.getvalue()
