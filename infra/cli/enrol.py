"""`vigil enrol PERSON PHOTO...`: somebody into the gallery."""

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from infra.cli.deployment import Data, Deployment, Stage, reached
from infra.cli.places import DATA
from infra.cli.saying import err, fail, out


def enrol(
    person: Annotated[str, typer.Argument(help="The person's name; it stays in the people table.")],
    photos: Annotated[list[Path], typer.Argument(help="Photos of that face alone.", exists=True)],
    watch_list: Annotated[bool, typer.Option("--watch", help="Alert whenever this person is seen.")] = False,
    stage: Stage = "",
    data: Data = DATA,
) -> None:
    """Enrol a person from one or more photos; a photo that will not do is refused with the reason.

    Example: ./vigil enrol "Ada Lovelace" ada-1.jpg ada-2.jpg
    """
    answer = enrolled(reached(stage, data), person, photos, ["watch"] if watch_list else [])
    if "error" in answer:
        fail(answer["error"]["message"])
    for refusal in answer["refused"]:
        err.print(f"[yellow]refused[/] {refusal['photo']}: {refusal['message']} ({refusal['reason']})")
    if not answer["taken"]:
        raise typer.Exit(1)
    out.print(
        f"[green]enrolled[/] {person} as {answer['person']}: {len(answer['taken'])} of {len(photos)} photos"
        f"; gallery {answer['gallery_version']} is in force within seconds"
    )


def enrolled(cloud: Deployment, person: str, photos: Sequence[Path], tags: Sequence[str]) -> dict[str, Any]:
    """Upload, ask, and put the photos' own names back into the answer."""
    names = {f"enrol/{uuid.uuid4().hex}{photo.suffix.lower()}": photo for photo in photos}
    store, s3 = cloud.outputs["StoreBucket"], cloud.client("s3")
    versions = {
        key: s3.put_object(Bucket=store, Key=key, Body=photo.read_bytes()) for key, photo in names.items()
    }
    request = {
        "name": person,
        "tags": list(tags),
        "photos": [{"key": key, "version": answer.get("VersionId", "")} for key, answer in versions.items()],
    }
    reply = cloud.client("lambda").invoke(
        FunctionName=cloud.outputs["EnrolFunction"], Payload=json.dumps(request).encode()
    )
    told: dict[str, Any] = json.loads(reply["Payload"].read())
    if "FunctionError" in reply:
        fail(f"the enrol function failed: {told.get('errorMessage', told)}; see `./vigil logs`")
    for refusal in told.get("refused", ()):
        refusal["photo"] = str(names[refusal["key"]])
    return told
