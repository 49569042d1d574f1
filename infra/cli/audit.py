"""`vigil audit`: who looked at whom and who decided what, and whether anybody changed that record."""

from itertools import islice
from typing import Annotated

import typer

from cloud.audit import DynamoAudit
from cloud.checkpoints import Checkpoints
from cloud.sealing import KmsSeal
from infra.cli.deployment import Data, Deployment, Stage, reached
from infra.cli.places import DATA
from infra.cli.saying import err, fail, out, table
from vigil.access.audit import CHAINS, Broken, Checkpoint, Entry, Head, falls_short, first_broken
from vigil.access.seals import Forged

app = typer.Typer(help="The audit log: `verify` proves that no link was changed, `show` prints the newest.")


@app.command()
def verify(stage: Stage = "", data: Data = DATA) -> None:
    """Walk every chain from its start; exit code 1 and the first broken link where one does not hold.

    Example: ./vigil audit verify
    """
    cloud = reached(stage, data)
    log = DynamoAudit(cloud.client("dynamodb"), cloud.outputs["AuditTable"])
    anchor = _checkpoint(cloud)
    chains = [list(chain) for chain in log.chains()]
    broken = [link for link in map(first_broken, chains) if link] or _cut_off(chains, anchor)
    for link in broken:
        err.print(f"[red]broken[/] {link.chain}, entry {link.number}: {link.why}")
    if broken:
        raise typer.Exit(1)
    known = (
        f"checkpoint of {anchor.at:%Y-%m-%d %H:%M:%S}"
        if anchor
        else "no checkpoint yet: an end cut off is not missed"
    )
    out.print(f"[green]whole[/] {sum(map(len, chains))} entries in {sum(map(bool, chains))} chains; {known}")


def _cut_off(chains: list[list[tuple[Entry, str]]], anchor: Checkpoint | None) -> list[Broken]:
    """Chains that are not those of the checkpoint."""
    if anchor is None:
        return []
    marks = [[mark for _, mark in chain] for chain in chains]
    short = (
        falls_short(name, marks[number], anchor.heads.get(name, Head()))
        for number, name in enumerate(f"chain-{n}" for n in range(CHAINS))
    )
    return [link for link in short if link]


def _checkpoint(cloud: Deployment) -> Checkpoint | None:
    """The newest, by its seal."""
    seal = KmsSeal(cloud.client("kms"), cloud.outputs["SealKey"])
    try:
        return Checkpoints(cloud.client("s3"), cloud.outputs["StoreBucket"], seal).newest()
    except Forged as error:
        fail(f"the newest checkpoint cannot be believed: {error}")


@app.command()
def show(
    most: Annotated[int, typer.Option("--lines", "-n", min=1)] = 30, stage: Stage = "", data: Data = DATA
) -> None:
    """Print the newest acts, newest first.

    Example: ./vigil audit show -n 10
    """
    cloud = reached(stage, data)
    log = DynamoAudit(cloud.client("dynamodb"), cloud.outputs["AuditTable"])
    entries = [entry for chain in log.chains() for entry, _ in chain]
    made = table("Audit log", "at", "caller", "role", "act", "about")
    for entry in islice(sorted(entries, key=lambda entry: entry.at, reverse=True), most):
        about = " ".join(f"{name}={text}" for name, text in entry.about.items())
        made.add_row(entry.at.isoformat(timespec="seconds"), entry.caller, entry.role, entry.act, about)
    out.print(made)
