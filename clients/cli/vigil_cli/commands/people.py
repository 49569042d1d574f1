"""`vigil people`, `vigil review`, `vigil erase`: what a person decides, through the API as anybody would."""

import json
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from infra.local import issuer
from vigil_cli.console import err, fail, new_table, out
from vigil_cli.deployment import (
    DataOption,
    Deployment,
    StageOption,
    connect,
)
from vigil_cli.paths import DATA
from vigil_client import Problem, Vigil
from vigil_client.client import ReviewDecision

REVIEW_DECISIONS: tuple[ReviewDecision, ...] = ("confirm", "dismiss", "not-this-person")


def people(stage: StageOption = "", data: DataOption = DATA) -> None:
    """List everybody who is enrolled.

    Example: ./vigil people
    """
    table = new_table("People", "person", "name", "tags")
    for one in api_client(stage, data, "reviewer").list_people():
        table.add_row(one["id"], one["name"], " ".join(one["tags"]))
    out.print(table)


def review(
    alert_id: Annotated[str, typer.Argument(help="The alert's id, as `vigil alerts` shows it.")],
    decision: Annotated[str, typer.Argument(help="confirm, dismiss or not-this-person.")],
    stage: StageOption = "",
    data: DataOption = DATA,
) -> None:
    """Decide about an alert.

    Example: ./vigil review 5f1c… dismiss
    """
    chosen = next((one for one in REVIEW_DECISIONS if one == decision), None)
    if chosen is None:
        fail(f"there is no verdict {decision!r}: it is {', '.join(REVIEW_DECISIONS)}")
    try:
        reviewed = api_client(stage, data, "reviewer").review_alert(alert_id, chosen)
    except Problem as problem:
        fail(str(problem))
    counted = f"{reviewed['review_count']} of {reviewed['required_reviewers']} reviewers"
    out.print(f"{reviewed['review']}: {counted}")


def consent(
    person_id: Annotated[str, typer.Argument(help="The person's id, as `vigil people` shows it.")],
    withdraw: Annotated[bool, typer.Option("--withdraw", help="They do not agree any more.")] = False,
    stage: StageOption = "",
    data: DataOption = DATA,
) -> None:
    """Note that somebody agrees that models learn from their pictures, where the source allows it.

    Example: ./vigil consent p-0123456789ab
    """
    client = api_client(stage, data, "operator")
    try:
        (client.withdraw_consent if withdraw else client.give_consent)(person_id)
    except Problem as problem:
        fail(str(problem))
    out.print("withdrawn: stored data sets are without them within the hour" if withdraw else "noted")


def erase(
    person_id: Annotated[str, typer.Argument(help="The person's id, as `vigil people` shows it.")],
    receipt: Annotated[Path, typer.Option(help="Where to put the sealed receipt.")] = Path("receipt.json"),
    stage: StageOption = "",
    data: DataOption = DATA,
) -> None:
    """Erase somebody, for good, and keep the receipt: `vigil erasure verify` proves it.

    Example: ./vigil erase p-0123456789ab --receipt receipt.json
    """
    try:
        sealed = api_client(stage, data, "admin").erase_person(person_id)
    except Problem as problem:
        fail(str(problem))
    receipt.write_text(json.dumps(sealed, indent=2) + "\n")
    counts = ", ".join(f"{count} {kind}" for kind, count in sealed["receipt"]["erased"].items() if count)
    out.print(f"[green]erased[/] {counts or 'nothing was left'}; receipt: {receipt}")


def api_client(stage: str, data: Path, role: str) -> Vigil:
    """The deployment's API: on this machine with a token made for the purpose, on AWS with VIGIL_TOKEN."""
    url = str(connect(stage, data).outputs["EndpointURL"])
    if not stage:
        return Vigil(url, issuer.load_issuer(data).issue_token(role, subject=f"local-{role}"))
    if "VIGIL_TOKEN" not in os.environ:
        fail("put a token of your identity provider into VIGIL_TOKEN")
    return Vigil(url, os.environ["VIGIL_TOKEN"])


# MERGED: `vigil enrol PERSON PHOTO...`: somebody into the gallery.


def enrol(
    person: Annotated[str, typer.Argument(help="The person's name; it stays in the people table.")],
    photos: Annotated[list[Path], typer.Argument(help="Photos of that face alone.", exists=True)],
    watch_list: Annotated[bool, typer.Option("--watch", help="Alert whenever this person is seen.")] = False,
    stage: StageOption = "",
    data: DataOption = DATA,
) -> None:
    """Enrol a person from one or more photos; a photo that will not do is refused with the reason.

    Example: ./vigil enrol "Ada Lovelace" ada-1.jpg ada-2.jpg
    """
    result = enrol_photos(connect(stage, data), person, photos, ["watch"] if watch_list else [])
    if "error" in result:
        fail(result["error"]["message"])
    for rejected in result["rejected"]:
        err.print(f"[yellow]refused[/] {rejected['photo']}: {rejected['message']} ({rejected['reason']})")
    if not result["accepted"]:
        raise typer.Exit(1)
    out.print(
        f"[green]enrolled[/] {person} as {result['person']}: {len(result['accepted'])} of "
        f"{len(photos)} photos; gallery {result['gallery_version']} is in force within seconds"
    )


def enrol_photos(
    cloud: Deployment, person: str, photos: Sequence[Path], tags: Sequence[str]
) -> dict[str, Any]:
    """Upload, ask, and put the photos' own names back into the answer."""
    names = {f"enrol/{uuid.uuid4().hex}{photo.suffix.lower()}": photo for photo in photos}
    store, s3 = cloud.outputs["StoreBucket"], cloud.client("s3")
    versions = {
        key: s3.put_object(Bucket=store, Key=key, Body=photo.read_bytes()) for key, photo in names.items()
    }
    request = {
        "name": person,
        "tags": list(tags),
        "photos": [
            {"key": key, "version": response.get("VersionId", "")} for key, response in versions.items()
        ],
    }
    reply = cloud.client("lambda").invoke(
        FunctionName=cloud.outputs["EnrolFunction"], Payload=json.dumps(request).encode()
    )
    result: dict[str, Any] = json.loads(reply["Payload"].read())
    if "FunctionError" in reply:
        fail(f"the enrol function failed: {result.get('errorMessage', result)}; see `./vigil logs`")
    for rejected in result.get("rejected", ()):
        rejected["photo"] = str(names[rejected["key"]])
    return result
