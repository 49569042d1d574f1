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


def offer(
    model: Annotated[str, typer.Argument(help="The model's name; it was taught here before.")],
    folder: Annotated[Path, typer.Argument(help="card.toml and its graph.", exists=True, file_okay=False)],
    stage: Stage = "",
    data: Data = DATA,
) -> None:
    """Examine a release that was made elsewhere, and put it on record; what follows, follows by itself.

    Example: ./vigil offer digits build/models/digits
    """
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    told = offered(reached(stage, data), model, files)
    if "release" not in told:
        fail(str(told.get("error", told)))
    out.print(f"release {told['release']} of {model} is on record; measured {told['metric']}")


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
