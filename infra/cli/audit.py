"""`vigil audit`: who looked at whom and who decided what, and whether anybody changed that record."""

from itertools import islice
from typing import Annotated

import typer

from cloud.audit import DynamoAudit
from infra.cli.deployment import Data, Stage, reached
from infra.cli.places import DATA
from infra.cli.saying import err, out, table
from vigil.access.audit import first_broken

app = typer.Typer(help="The audit log: `verify` proves that no link was changed, `show` prints the newest.")


@app.command()
def verify(stage: Stage = "", data: Data = DATA) -> None:
    """Walk every chain from its start; exit code 1 and the first broken link where one does not hold.

    Example: ./vigil audit verify
    """
    cloud = reached(stage, data)
    log = DynamoAudit(cloud.client("dynamodb"), cloud.outputs["AuditTable"])
    chains = [list(chain) for chain in log.chains()]
    broken = [link for link in map(first_broken, chains) if link]
    for link in broken:
        err.print(f"[red]broken[/] {link.chain}, entry {link.number}: {link.why}")
    if broken:
        raise typer.Exit(1)
    out.print(f"[green]whole[/] {sum(map(len, chains))} entries in {sum(map(bool, chains))} chains")


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
