"""`vigil offer`: a release that was made elsewhere goes the way of every release."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cloud.library import S3Library
from infra.cli.deployment import Data, Deployment, Stage, reached
from infra.cli.places import DATA
from infra.cli.saying import fail, out
from infra.models.compose import composed
from vigil.predict.release import CARD
from vigil.predict.table import read


def offer(
    model: Annotated[str, typer.Argument(help="The model's name.")],
    folder: Annotated[Path, typer.Argument(help="card.toml and its graph.", exists=True, file_okay=False)],
    stage: Stage = "",
    data: Data = DATA,
) -> None:
    """Examine a release that was made elsewhere, and put it on record; what follows, follows by itself.

    A part of a composite model, such as another embedding for faces, is offered with the parts beside it as
    they are bundled.

    Example: ./vigil offer digits build/models/digits
    """
    told = offered(reached(stage, data), model, files_of(model, folder))
    if "release" not in told:
        fail(str(told.get("error", told)))
    out.print(f"release {told['release']} of {model} is on record; measured {told['metric']}")


def files_of(model: str, folder: Path) -> dict[str, bytes]:
    """A release's files; of a part of the model, those of the whole."""
    if read(folder / CARD).text("pipeline.kind") == "part":
        return composed(model, folder)
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def offered(cloud: Deployment, model: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    """{"release", "metric"}, or {"error"}: what the examination says of a release's files."""
    parcel = packed(model, files)
    key = f"offers/{model}/{hashlib.sha256(parcel).hexdigest()[:16]}.tar.gz"
    S3Library(cloud.client("s3"), cloud.outputs["StoreBucket"]).put(key, parcel)
    asked = json.dumps({"model": model, "parcel": key}).encode()
    reply = cloud.patient.invoke(FunctionName=cloud.outputs["TrainFunction"], Payload=asked)
    told: dict[str, Any] = json.loads(reply["Payload"].read())
    return told


def packed(model: str, files: Mapping[str, bytes]) -> bytes:
    """As a training job leaves it: model.tar.gz with one folder."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        for name, body in sorted(files.items()):
            member = tarfile.TarInfo(f"{model}/{name}")
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return whole.getvalue()
