"""`vigil drop FILE...`: files into a lane, and what became of them."""

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table

from cloud.dynamodb.drops import DynamoDropReader
from vigil.drops.messages import compute_drop_id
from vigil_cli.console import err, fail, new_table, out
from vigil_cli.deployment import (
    DataOption,
    Deployment,
    StageOption,
    connect,
)
from vigil_cli.paths import DATA
from vigil_cli.tables import coloured, drops_table, format_number, subject_text

TERMINAL_STATES = ("done", "rejected", "quarantined")


def drop(
    files: Annotated[list[Path], typer.Argument(help="Photos, or whatever the model reads.", exists=True)],
    source: Annotated[str, typer.Option(help="Where they were taken: a door, a camera, a feed.")] = "desk",
    model: Annotated[str, typer.Option(help="The model that is to look at them.")] = "faces",
    lane: Annotated[str, typer.Option(help="live, or bulk for back-fills.")] = "live",
    wait_s: Annotated[float, typer.Option("--wait", help="Seconds to wait for outcomes; 0 does not.")] = 60.0,
    stage: StageOption = "",
    data: DataOption = DATA,
) -> None:
    """Drop files and show what became of them.

    Example: ./vigil drop photos/*.jpg --source door-3
    """
    if lane not in ("live", "bulk"):
        fail(f"there is no lane {lane!r}: it is live or bulk")
    cloud = connect(stage, data)
    ids = [upload_file(cloud, file, f"{lane}/{model}/{source}/{file.name}", model) for file in files]
    if wait_s <= 0:
        out.print("\n".join(ids))
        return
    rows = wait_until_completed(cloud.records, ids, wait_s)
    out.print(drops_table(cloud, rows))
    if any(row.get("state") not in TERMINAL_STATES for row in rows):
        err.print(f"some have no outcome after {wait_s:g} s: ask again with `./vigil ledger ID`")
        raise typer.Exit(1)


def upload_file(cloud: Deployment, file: Path, key: str, model: str) -> str:
    """Put one file; the id of the drop that it is going to be."""
    bucket = cloud.outputs["PhotosBucket"]
    with file.open("rb") as body:
        response = cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    return compute_drop_id(bucket, key, response["VersionId"], model)


def wait_until_completed(
    records: DynamoDropReader, ids: Sequence[str], wait_s: float
) -> list[dict[str, Any]]:
    """The drops' records once all have ended, or as they are when the time is up."""
    deadline = time.monotonic() + wait_s
    rows: dict[str, dict[str, Any]] = {}
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("looking", total=len(ids))
        while len(rows) < len(ids) and time.monotonic() < deadline:
            for ident in (ident for ident in ids if ident not in rows):
                row = records.find_drop(ident)
                if row and row["state"] in TERMINAL_STATES:
                    rows[ident] = row
            progress.update(task, completed=len(rows))
            time.sleep(0.05 if len(rows) < len(ids) else 0)
    return [
        rows.get(ident) or records.find_drop(ident) or {"drop_id": ident, "state": "announced"}
        for ident in ids
    ]


# MERGED: `vigil ledger`, `vigil sightings`, `vigil alerts`: what is on record.

DaysOption = Annotated[int, typer.Option(help="How many days to look back.", min=1)]
LimitOption = Annotated[int, typer.Option("--most", "-n", help="How many rows at most.", min=1)]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


def sightings(
    days: DaysOption = 7,
    most: LimitOption = 50,
    as_json: JsonOption = False,
    stage: StageOption = "",
    data: DataOption = DATA,
) -> None:
    """Who and what was seen, newest first.

    Example: ./vigil sightings --days 1 -n 20
    """
    cloud = connect(stage, data)
    rows = _query_newest(cloud, "sightings", days, most)
    if as_json:
        _print_json_rows(rows)
        return
    table = new_table("Sightings", "when", "source", "who", ">score", ">needed", ">quality", "model", "drop")
    for row in rows:
        table.add_row(
            row["occurred_at"][:19],
            row["source"],
            subject_text(cloud, row),
            format_number(row.get("score")),
            format_number(row.get("threshold")),
            format_number(row.get("quality")),
            row["model"],
            row["drop_id"][:12],
        )
    out.print(table)


def alerts(
    days: DaysOption = 7,
    most: LimitOption = 50,
    as_json: JsonOption = False,
    stage: StageOption = "",
    data: DataOption = DATA,
) -> None:
    """What rules picked out for a person to review, newest first.

    Example: ./vigil alerts --days 1 --json
    """
    cloud = connect(stage, data)
    rows = _query_newest(cloud, "alerts", days, most)
    if as_json:
        _print_json_rows(rows)
        return
    table = new_table("Alerts", "when", "severity", "rule", "who", "source", ">drops", "review", "alert")
    for row in rows:
        table.add_row(
            row["occurred_at"][:19],
            coloured(row["severity"]),
            row["rule"],
            cloud.display_name(row["subject_id"]),
            row["source"],
            str(row["drops"]),
            row["review"],
            row["alert_id"][:12],
        )
    out.print(table)


def ledger(
    ident: Annotated[
        str, typer.Argument(metavar="ID|KEY", help="A drop's id (or its beginning), or an object's key.")
    ],
    as_json: JsonOption = False,
    stage: StageOption = "",
    data: DataOption = DATA,
) -> None:
    """Where is my photo? One drop's record: state, attempts, times, what was seen, what was done about it.

    Example: ./vigil ledger live/faces/door-3/frame.jpg
    """
    cloud = connect(stage, data)
    rows = _find_drops(cloud, ident)
    if not rows:
        fail(f"nothing on record for {ident}: an object's key reads live/faces/<source>/<name>")
    for row in rows:
        row["sighting_rows"] = cloud.records.sightings(row["drop_id"])
        row["notes"] = cloud.records.notes(row["drop_id"])
    if as_json:
        _print_json_rows(rows)
        return
    for row in rows:
        out.print(_drop_table(cloud, row))


def _find_drops(cloud: Deployment, ident: str) -> list[dict[str, Any]]:
    if "/" in ident:
        uri = ident if ident.startswith("s3://") else f"s3://{cloud.outputs['PhotosBucket']}/{ident}"
        return [row for drop in cloud.records.drops_of_object(uri) if (row := cloud.records.find_drop(drop))]
    exact = cloud.records.find_drop(ident)
    if exact:
        return [exact]
    return [row for row in _query_newest(cloud, "drops", 7, 10_000) if row["drop_id"].startswith(ident)]


def _drop_table(cloud: Deployment, row: dict[str, Any]) -> Table:
    table = new_table(f"Drop {row['drop_id']}", "", "")
    table.add_row("state", coloured(row["state"]))
    for name in ("reason", "message", "error", "stage", "lane", "model", "source", "release", "attempts"):
        if row.get(name):
            table.add_row(name.replace("_", " "), str(row[name]))
    for name in ("occurred_at", "first_claimed_at", "completed_at"):
        if row.get(name):
            table.add_row(name.replace("_", " "), row[name])
    if row.get("s3_object"):
        table.add_row("object", f"{row['object']} {row['s3_object'].get('version', '')}")
    for stage_name, ms in row.get("times_ms", {}).items():
        table.add_row(f"  {stage_name}", f"{ms:.1f} ms")
    for sighting in row["sighting_rows"]:
        table.add_row(
            "sighting_rows", subject_text(cloud, sighting) + f"  {format_number(sighting.get('score'))}"
        )
    for note in row["notes"]:
        table.add_row(note["action_taken"], f"{note['sk'].removeprefix('note#')[:19]}  {note['reason']}")
    return table


def _query_newest(cloud: Deployment, kind: str, days: int, most: int) -> list[dict[str, Any]]:
    return cloud.records.newest(kind, since=datetime.now(UTC) - timedelta(days=days), limit=most)


def _print_json_rows(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        print(json.dumps(row, default=_json_default, ensure_ascii=False))


def _json_default(value: Any) -> Any:
    """What JSON has no word for: sets."""
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(type(value).__name__)
