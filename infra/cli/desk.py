"""`vigil people`, `vigil review`, `vigil erase`: what a person decides, through the API as anybody would."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.deployment import Data, Stage, reached
from infra.cli.places import DATA
from infra.cli.saying import fail, out, table
from infra.local import issuer
from vigil_client import Problem, Vigil
from vigil_client.client import Verdict

VERDICTS: tuple[Verdict, ...] = ("confirm", "dismiss", "not-this-person")


def people(stage: Stage = "", data: Data = DATA) -> None:
    """List everybody who is enrolled.

    Example: ./vigil people
    """
    made = table("People", "person", "name", "tags")
    for one in api(stage, data, "reviewer").people():
        made.add_row(one["person"], one["name"], " ".join(one["tags"]))
    out.print(made)


def review(
    alert: Annotated[str, typer.Argument(help="The alert's id, as `vigil alerts` shows it.")],
    verdict: Annotated[str, typer.Argument(help="confirm, dismiss or not-this-person.")],
    stage: Stage = "",
    data: Data = DATA,
) -> None:
    """Decide about an alert.

    Example: ./vigil review 5f1c… dismiss
    """
    chosen = next((one for one in VERDICTS if one == verdict), None)
    if chosen is None:
        fail(f"there is no verdict {verdict!r}: it is {', '.join(VERDICTS)}")
    try:
        told = api(stage, data, "reviewer").review(alert, chosen)
    except Problem as problem:
        fail(str(problem))
    out.print(f"{told['review']}: {told['verdicts']} of {told['reviewers']} reviewers")


def consent(
    person: Annotated[str, typer.Argument(help="The person's id, as `vigil people` shows it.")],
    withdraw: Annotated[bool, typer.Option("--withdraw", help="They do not agree any more.")] = False,
    stage: Stage = "",
    data: Data = DATA,
) -> None:
    """Note that somebody agrees that models learn from their pictures, where the source allows it.

    Example: ./vigil consent p-0123456789ab
    """
    desk = api(stage, data, "operator")
    try:
        (desk.withdraw_consent if withdraw else desk.consent)(person)
    except Problem as problem:
        fail(str(problem))
    out.print("withdrawn: stored data sets are without them within the hour" if withdraw else "noted")


def erase(
    person: Annotated[str, typer.Argument(help="The person's id, as `vigil people` shows it.")],
    receipt: Annotated[Path, typer.Option(help="Where to put the sealed receipt.")] = Path("receipt.json"),
    stage: Stage = "",
    data: Data = DATA,
) -> None:
    """Erase somebody, for good, and keep the receipt: `vigil erasure verify` proves it.

    Example: ./vigil erase p-0123456789ab --receipt receipt.json
    """
    try:
        sealed = api(stage, data, "admin").erase(person)
    except Problem as problem:
        fail(str(problem))
    receipt.write_text(json.dumps(sealed, indent=2) + "\n")
    counts = ", ".join(f"{count} {kind}" for kind, count in sealed["receipt"]["erased"].items() if count)
    out.print(f"[green]erased[/] {counts or 'nothing was left'}; receipt: {receipt}")


def api(stage: str, data: Path, role: str) -> Vigil:
    """The deployment's API: on this machine with a token made for the purpose, on AWS with VIGIL_TOKEN."""
    url = str(reached(stage, data).outputs["EndpointURL"])
    if not stage:
        return Vigil(url, issuer.saved(data).token(role, subject=f"local-{role}"))
    if "VIGIL_TOKEN" not in os.environ:
        fail("put a token of your identity provider into VIGIL_TOKEN")
    return Vigil(url, os.environ["VIGIL_TOKEN"])
