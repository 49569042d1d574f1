"""`vigil erasure verify RECEIPT`: whether what a receipt says was erased is nowhere to be found."""

import base64
import json
from pathlib import Path
from typing import Annotated

import typer

from cloud.sealing import KmsSeal
from infra.cli.deployment import Data, Deployment, Stage, reached
from infra.cli.lookalikes import Lookalikes
from infra.cli.places import DATA
from infra.cli.remains import Remains
from infra.cli.saying import err, fail, out, table
from vigil.errors import Rejected

app = typer.Typer(help="Proof that an erased person is gone.")


@app.callback()
def erasure() -> None:
    """Proof that an erased person is gone."""


@app.command()
def verify(
    receipt: Annotated[Path, typer.Argument(help="The receipt, as the API gave it.", exists=True)],
    name: Annotated[str, typer.Option(help="Their name, which no receipt holds: looked for, too.")] = "",
    photo: Annotated[
        Path | None, typer.Option(help="A photo of theirs: held against faces of strangers.", exists=True)
    ] = None,
    *,
    stage: Stage = "",
    data: Data = DATA,
) -> None:
    """Check the seal, then look into every object version, row, queue and log; exit code 1 for remains.

    Example: ./vigil erasure verify receipt.json --name "Ada Lovelace"
    """
    cloud = reached(stage, data)
    sealed = json.loads(receipt.read_text())
    text = json.dumps(sealed["receipt"], sort_keys=True, separators=(",", ":")).encode()
    mac = base64.b64decode(sealed["seal"])
    if not KmsSeal(cloud.client("kms"), cloud.outputs["SealKey"]).holds(text, mac):
        fail("the seal is broken: this deployment gave no such receipt")
    words = [sealed["receipt"]["person"], *([name] if name else [])]
    remains = Remains(cloud, words, None if stage else data, seal=sealed["seal"])
    found = {place: list(look()) for place, look in remains.places.items()}
    looked = dict(remains.looked)
    if photo is not None:
        alike = _lookalikes(cloud, photo)
        found["faces"] = list(alike.found())
        looked["faces"] = alike.looked
    made = table("Looked into", "place", ">looked at", ">found")
    for place, hits in found.items():
        made.add_row(place, str(looked.get(place, 0)), str(len(hits)))
    out.print(made)
    for hit in (hit for hits in found.values() for hit in hits):
        err.print(f"[red]found[/] {hit}")
    if any(found.values()):
        raise typer.Exit(1)
    out.print(
        "[green]erased[/] the receipt is genuine, and nothing of them is left; the audit log keeps the id"
    )


def _lookalikes(cloud: Deployment, photo: Path) -> Lookalikes:
    try:
        return Lookalikes(cloud, photo)
    except Rejected as fault:
        fail(f"{photo}: {fault}")
