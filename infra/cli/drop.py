"""`vigil drop FILE...`: files into a lane, and what became of them."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from cloud.records import DynamoRecords
from infra.cli.deployment import Data, Deployment, Stage, reached
from infra.cli.places import DATA
from infra.cli.saying import err, fail, out
from infra.cli.tables import drops_table
from vigil.drops import drop_id

ENDS = ("done", "rejected", "quarantined")


def drop(
    files: Annotated[list[Path], typer.Argument(help="Photos, or whatever the model reads.", exists=True)],
    source: Annotated[str, typer.Option(help="Where they were taken: a door, a camera, a feed.")] = "desk",
    model: Annotated[str, typer.Option(help="The model that is to look at them.")] = "faces",
    lane: Annotated[str, typer.Option(help="live, or bulk for back-fills.")] = "live",
    wait_s: Annotated[float, typer.Option("--wait", help="Seconds to wait for outcomes; 0 does not.")] = 60.0,
    stage: Stage = "",
    data: Data = DATA,
) -> None:
    """Drop files and show what became of them.

    Example: ./vigil drop photos/*.jpg --source door-3
    """
    if lane not in ("live", "bulk"):
        fail(f"there is no lane {lane!r}: it is live or bulk")
    cloud = reached(stage, data)
    ids = [put(cloud, file, f"{lane}/{model}/{source}/{file.name}", model) for file in files]
    if wait_s <= 0:
        out.print("\n".join(ids))
        return
    rows = settled(cloud.records, ids, wait_s)
    out.print(drops_table(cloud, rows))
    if any(row.get("state") not in ENDS for row in rows):
        err.print(f"some have no outcome after {wait_s:g} s: ask again with `./vigil ledger ID`")
        raise typer.Exit(1)


def put(cloud: Deployment, file: Path, key: str, model: str) -> str:
    """Put one file; the id of the drop that it is going to be."""
    bucket = cloud.outputs["PhotosBucket"]
    with file.open("rb") as body:
        answer = cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    return drop_id(bucket, key, answer["VersionId"], model)


def settled(records: DynamoRecords, ids: Sequence[str], wait_s: float) -> list[dict[str, Any]]:
    """The drops' records once all have ended, or as they are when the time is up."""
    ends = time.monotonic() + wait_s
    rows: dict[str, dict[str, Any]] = {}
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("looking", total=len(ids))
        while len(rows) < len(ids) and time.monotonic() < ends:
            for ident in (ident for ident in ids if ident not in rows):
                row = records.drop(ident)
                if row and row["state"] in ENDS:
                    rows[ident] = row
            progress.update(task, completed=len(rows))
            time.sleep(0.05 if len(rows) < len(ids) else 0)
    return [
        rows.get(ident) or records.drop(ident) or {"drop_id": ident, "state": "announced"} for ident in ids
    ]
