"""`vigil models`: releases and training jobs, and decisions about them."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from vigil_cli.command_line import Argument, Option
from vigil_cli.console import DIM, WARN, coloured, err, fail, format_number, format_time, new_table
from vigil_cli.lookup import find_release
from vigil_cli.paths import BUILD, ROOT
from vigil_cli.session import Session
from vigil_client import Vigil
from vigil_client.types import (
    CandidateOut,
    EstimateOut,
    ModelDetails,
    ModelReleasesOut,
    ReleaseOut,
    StagesChanged,
    TrainingOut,
)

PRICES_NOTE = "by the example prices in layers/vigil/training/instance_types.toml: set your own"
DOWNLOAD_NOTE = (
    "the first training on this machine fetches and installs PyTorch, 1.1 GB, before it begins: "
    "`make trainer` does it now"
)
ModelArgument = Annotated[str, Argument(help="Name of the model.")]
ReleaseArgument = Annotated[str, Argument(help="The release, or the first digits of its id.")]
ReasonOption = Annotated[
    str, Option(help="Saved in the history of the release.", prompt=True, flags=("--reason",))
]


def list_models(session: Session) -> None:
    """List the releases and training jobs of every model, with stage, quality and reason.

    Example: ./vigil models list
    """
    with session.api("operator") as api:
        models, jobs = api.list_releases(), api.list_all_trainings()
    session.show(models, lambda: Group(_releases_table(models), _trainings_table(jobs)))


def show(session: Session, model: ModelArgument) -> None:
    """Show every transition of a model's releases with the results of the gates, and its training jobs.

    Example: ./vigil models show digits
    """
    with session.api("operator") as api:
        details = api.get_model(model)
        jobs = api.list_trainings(model)
    session.show(
        [{**details, "trainings": jobs}], lambda: Group(_history_table(details), _trainings_table(jobs))
    )


def _releases_table(models: Iterable[ModelReleasesOut]) -> Table:
    """A line for each release, the active bundled one first."""
    table = new_table("Releases", "model", "release", "stage", "quality", "gain", "since", "reason")
    for model in models:
        releases = model["releases"]
        if model["active"] not in {release["id"] for release in releases}:
            active = coloured("active")
            table.add_row(model["model"], model["active"], active, "", "", "", "bundled with the software")
        for release in sorted(releases, key=lambda one: one["since"], reverse=True):
            table.add_row(
                model["model"],
                release["id"],
                _stage_text(release, model.get("candidate")),
                _estimate_text(release["metric"]),
                _estimate_text(release.get("gain")),
                format_time(release["since"]),
                _reason_text(release),
            )
    return table


def _history_table(model: ModelDetails) -> Table:
    """A line for each transition, with the results of the gates or the person who decided."""
    table = new_table(f"{model['name']}: transitions", "release", "event", "stage", "time", "reasons")
    moves = [(release["id"], move) for release in model.get("releases", []) for move in release["history"]]
    for release, move in sorted(moves, key=lambda one: (one[1]["at"], one[0])):
        reasons = "\n".join(move.get("reasons", []))
        table.add_row(release, move["event"], coloured(move["stage"]), format_time(move["at"]), reasons)
    return table


def _stage_text(release: ReleaseOut, candidate: CandidateOut | None) -> Text:
    """The stage; of a candidate with its share of the drops."""
    if candidate is None or candidate["release"] != release["id"]:
        return coloured(release["stage"])
    share = candidate["canary_share"] or candidate["shadow_share"]
    return coloured(f"{release['stage']} {share:.0%}", release["stage"])


def _reason_text(release: ReleaseOut) -> str:
    """The progress of the re-embedding, or the reason of the last transition in short."""
    progress = release.get("reembedding")
    if progress and progress["remaining"] + progress["missing_reference"]:
        ready = progress["people"] - progress["remaining"] - progress["missing_reference"]
        return (
            f"re-embedded {ready} of {progress['people']}; {progress['missing_reference']} need a new photo"
        )
    last = release["history"][-1] if release["history"] else None
    reasons = last.get("reasons", []) if last else []
    if last and len(reasons) > 1 and last["event"] == "pass":
        return f"passed {len(reasons)} gates"
    return "; ".join(reasons)


def _estimate_text(estimate: EstimateOut | None) -> str:
    if estimate is None:
        return ""
    return f"{estimate['value']:.3f} ({estimate['low']:.3f}-{estimate['high']:.3f})"


def _trainings_table(jobs: Sequence[TrainingOut]) -> RenderableType:
    """A line for each job; nothing without jobs."""
    columns = ("job", "state", ">expected", ">at most", ">cost", "release", "reason")
    table = new_table("\nTraining jobs, in US dollars", *columns)
    for job in jobs:
        dollars = (format_number(job["expected_usd"]), format_number(job["max_usd"]))
        last = (format_number(job.get("usd"), 4), job.get("release", ""), job.get("reason", ""))
        table.add_row(job["job"], coloured(job["state"]), *dollars, *last)
    return Group(table, Text(f"({PRICES_NOTE})", style=DIM)) if jobs else ""


def promote(
    session: Session,
    model: ModelArgument,
    release: ReleaseArgument,
    reason: ReasonOption,
) -> None:
    """Activate a candidate release now, whatever the gates decide.

    Example: ./vigil models promote digits 0123456789abcdef --reason "reviewed by hand"
    """

    def decide(api: Vigil) -> StagesChanged:
        ident = find_release(api, model, release)
        if warning := describe_loss(api.get_model(model), ident):
            err.print(Text.assemble(("warning: ", WARN), warning), soft_wrap=True)
        return api.promote_release(model, ident, reason=reason)

    _apply_decision(decide, session)


def describe_loss(model: ModelDetails, release: str) -> str:
    """What speaks against a release that measured worse than the active one; empty if nothing does."""
    found = next((one for one in model.get("releases", ()) if one["id"] == release), None)
    gain = found.get("gain") if found else None
    if gain is None or gain["value"] >= 0:
        return ""
    certainty = "" if gain["high"] < 0 else ", which may be chance"
    back = f"`./vigil models rollback {model['name']}` returns to the former one"
    return f"{release} measured worse than the active release: {_estimate_text(gain)}{certainty}; {back}"


def reject(
    session: Session,
    model: ModelArgument,
    release: ReleaseArgument,
    reason: ReasonOption,
) -> None:
    """Reject a candidate or registered release.

    Example: ./vigil models reject digits 0123456789abcdef --reason "trained on wrong labels"
    """

    def decide(api: Vigil) -> StagesChanged:
        return api.reject_release(model, find_release(api, model, release), reason=reason)

    _apply_decision(decide, session)


def rollback(
    session: Session,
    model: ModelArgument,
    reason: ReasonOption,
) -> None:
    """Activate the previous release of a model again.

    Example: ./vigil models rollback digits --reason "misses faces at the new door"
    """
    _apply_decision(lambda api: api.roll_back_model(model, reason=reason), session)


def _apply_decision(decide: Callable[[Vigil], StagesChanged], session: Session) -> None:
    with session.api("admin") as api:
        result = decide(api)
    lines = [f"{result['model']} {release} is {stage}" for release, stage in result["stages"].items()]
    session.show([result], lambda: "\n".join(lines))


def train(
    session: Session,
    model: ModelArgument,
    recipe: Annotated[
        Path | None,
        Option(help="A training recipe; without one, the model's last recipe.", exists=True, dir_okay=False),
    ] = None,
) -> None:
    """Build a data set from the current labels and start a training job; equal inputs give the same job.

    The recipe is checked before anything is ordered.

    Example: ./vigil models train digits --recipe recipe.toml
    """
    text = _read_recipe(recipe) if recipe else None
    if not session.stage and not _has_trainer():
        err.print(DOWNLOAD_NOTE, soft_wrap=True)
    with session.api("operator") as api:
        result = api.start_training(model, recipe=text)
    cost = f"estimated at ${result['expected_usd']}, at most ${result['max_usd']} {PRICES_NOTE}"
    summary = f"{result['job']} is {result['state']}, on data set {result['data']}; {cost}"
    session.show([result], lambda: summary)


def _has_trainer() -> bool:
    from models.training.environment import is_created

    return is_created()


def _read_recipe(file: Path) -> str:
    """The text of a recipe that the training container can read; else the command ends."""
    from models.training.recipe import ClassifierRecipe
    from vigil.toml_file import InvalidToml, load_toml

    try:
        load_toml(file).convert(ClassifierRecipe)
    except InvalidToml as error:
        fail(f"{error}; models/training/recipes/small.toml is a recipe to begin with")
    return file.read_text("utf-8")


def datasets(session: Session, model: ModelArgument) -> None:
    """List the data sets that trainings have used, the newest first.

    It reads the store bucket directly with AWS credentials.

    Example: ./vigil models datasets digits
    """
    from cloud.s3.datasets import S3DatasetRepository
    from cloud.s3.objects import S3ObjectStore

    cloud = session.deployment()
    stored = S3DatasetRepository(S3ObjectStore(cloud.client("s3"), cloud.outputs["StoreBucket"]))
    idents = [ident for name, ident in stored.list_datasets() if name == model]
    found = [one for one in (stored.read_summary(model, ident) for ident in idents) if one]
    rows = [
        {"id": one.id, "created_at": one.created_at.isoformat(), "items": one.items}
        | {split: sum(labels.values()) for split, labels in one.label_counts.items()}
        for one in sorted(found, key=lambda one: one.created_at, reverse=True)
    ]
    table = new_table(f"Data sets of {model}: {len(rows)}", "data set", "created", ">items", "splits")
    for row in rows:
        splits = ", ".join(f"{row[name]} {name}" for name in ("train", "validation", "test") if name in row)
        table.add_row(str(row["id"]), format_time(str(row["created_at"])), str(row["items"]), splits)
    session.show(
        rows, lambda: table if rows else f"{model} has no data set: `./vigil models train` makes one"
    )


def evaluate(
    session: Session,
    model: ModelArgument,
    dataset: Annotated[str, Argument(help="Id of a data set, or a folder with one split.")],
    release: Annotated[str, Option(help="The release; without it, the active one.")] = "",
) -> None:
    """Measure a release on held-out pictures and write a report with confidence intervals and plots.

    Example: ./vigil models evaluate digits pictures/test
    """
    with tempfile.TemporaryDirectory() as folder_name:
        split, releases = Path(dataset), BUILD / "models"
        if not split.is_dir():
            split, releases = Path(folder_name) / "test", Path(folder_name)
            _fetch_test_split(session, model, dataset, split)
            if not _fetch_release(session, model, release, Path(folder_name) / model):
                releases = BUILD / "models"
        arguments = ("-m", "models.evaluation", model, str(split), "--models", str(releases))
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        finished = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, check=False)
        raise click.exceptions.Exit(finished.returncode)


def _fetch_release(session: Session, model: str, release: str, target: Path) -> bool:
    """Download a release, by default the active one; False if that is the bundled one in build/models."""
    from cloud.s3.objects import S3ReleaseStore
    from vigil.errors import VigilError

    with session.api("viewer") as api:
        details = api.get_model(model)
        ident = find_release(api, model, release) if release else details["active"]
    if ident not in {one["id"] for one in details.get("releases", ())}:
        return False
    target.mkdir()
    cloud = session.deployment()
    try:
        S3ReleaseStore(cloud.client("s3"), cloud.outputs["StoreBucket"]).fetch(model, ident, target)
    except VigilError as error:
        fail(str(error))
    return True


def _fetch_test_split(session: Session, model: str, dataset: str, target: Path) -> None:
    from cloud.s3.datasets import MANIFEST_NAME, dataset_prefix
    from cloud.s3.objects import S3ObjectStore
    from vigil.errors import VigilError
    from vigil.training.dataset import parse_manifest

    cloud = session.deployment()
    store = S3ObjectStore(cloud.client("s3"), cloud.outputs["StoreBucket"])
    prefix = f"{dataset_prefix(model, dataset)}/test"
    target.mkdir()
    try:
        text = store.get_object(f"{prefix}/{MANIFEST_NAME}").decode()
        for entry in parse_manifest(text):
            (target / entry.key).write_bytes(store.get_object(f"{prefix}/{entry.key}"))
    except VigilError as error:
        fail(f"{error}; `./vigil models datasets {model}` lists the data sets")
    (target / MANIFEST_NAME).write_text(text, "utf-8")


def register(
    session: Session,
    model: ModelArgument,
    folder: Annotated[Path, Argument(help="card.toml and its graph.", exists=True, file_okay=False)],
) -> None:
    """Validate a release that was built elsewhere and register it; the rollout starts by itself.

    A part of a composite model, such as another embedding for faces, is combined with the bundled parts.

    Example: ./vigil models register digits build/models/digits
    """
    result = submit_release(session.deployment(), model, release_files(model, folder))
    if "release" not in result:
        fail(str(result.get("error", result)))
    text = f"release {result['release']} of {model} is registered; measured {result['metric']}"
    session.show([result], lambda: text)


def release_files(model: str, folder: Path) -> dict[str, bytes]:
    """File name -> content of a release; a part of a composite model is combined with the bundled parts."""
    from models.build.compose import compose_release
    from vigil.errors import BrokenRelease
    from vigil.inference.network.check import check_files
    from vigil.inference.release import load_card

    try:
        if load_card(folder / "card.toml").pipeline.kind == "part":
            return compose_release(model, folder)
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        check_files(model, files)
    except BrokenRelease as error:
        fail(str(error))
    return files


def submit_release(cloud: Any, model: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    """{"release", "metric"} of the registered release, or {"error"} if the validation fails."""
    from cloud.s3.objects import S3ObjectStore

    archive = pack_archive(model, files)
    key = f"submissions/{model}/{hashlib.sha256(archive).hexdigest()[:16]}.tar.gz"
    S3ObjectStore(cloud.client("s3"), cloud.outputs["StoreBucket"]).put_object(key, archive)
    request = json.dumps({"model": model, "archive_key": key}).encode()
    response = cloud.slow_lambda_client.invoke(FunctionName=cloud.outputs["TrainFunction"], Payload=request)
    result: dict[str, Any] = json.loads(response["Payload"].read())
    return result


def pack_archive(model: str, files: Mapping[str, bytes]) -> bytes:
    """The files in a folder of a tar.gz, the format of a training job's output."""
    packed_bytes = io.BytesIO()
    with tarfile.open(fileobj=packed_bytes, mode="w:gz") as archive:
        for name, body in sorted(files.items()):
            member = tarfile.TarInfo(f"{model}/{name}")
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return packed_bytes.getvalue()
