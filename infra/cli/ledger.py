"""`vigil ledger`, `vigil sightings`, `vigil alerts`: what is on record."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.table import Table

from infra.cli.deployment import Data, Deployment, Stage, reached
from infra.cli.places import DATA
from infra.cli.saying import fail, out, table
from infra.cli.tables import coloured, number, who

Days = Annotated[int, typer.Option(help="How many days to look back.", min=1)]
Most = Annotated[int, typer.Option("--most", "-n", help="How many rows at most.", min=1)]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


def sightings(
    days: Days = 7, most: Most = 50, as_json: AsJson = False, stage: Stage = "", data: Data = DATA
) -> None:
    """Who and what was seen, newest first.

    Example: ./vigil sightings --days 1 -n 20
    """
    cloud = reached(stage, data)
    rows = _newest(cloud, "sightings", days, most)
    if as_json:
        _lines(rows)
        return
    made = table("Sightings", "when", "source", "who", ">score", ">needed", ">quality", "model", "drop")
    for row in rows:
        made.add_row(
            row["happened_at"][:19],
            row["taken_from"],
            who(cloud, row),
            number(row.get("score")),
            number(row.get("threshold")),
            number(row.get("quality")),
            row["model"],
            row["drop_id"][:12],
        )
    out.print(made)


def alerts(
    days: Days = 7, most: Most = 50, as_json: AsJson = False, stage: Stage = "", data: Data = DATA
) -> None:
    """What rules picked out for a person to review, newest first.

    Example: ./vigil alerts --days 1 --json
    """
    cloud = reached(stage, data)
    rows = _newest(cloud, "alerts", days, most)
    if as_json:
        _lines(rows)
        return
    made = table("Alerts", "when", "severity", "rule", "who", "source", ">drops", "review", "alert")
    for row in rows:
        made.add_row(
            row["happened_at"][:19],
            coloured(row["severity"]),
            row["rule"],
            cloud.name(row["subject_id"]),
            row["taken_from"],
            str(row["drops"]),
            row["review"],
            row["alert_id"][:12],
        )
    out.print(made)


def ledger(
    ident: Annotated[
        str, typer.Argument(metavar="ID|KEY", help="A drop's id (or its beginning), or an object's key.")
    ],
    as_json: AsJson = False,
    stage: Stage = "",
    data: Data = DATA,
) -> None:
    """Where is my photo? One drop's record: state, attempts, times, what was seen, what was done about it.

    Example: ./vigil ledger live/faces/door-3/frame.jpg
    """
    cloud = reached(stage, data)
    rows = _found(cloud, ident)
    if not rows:
        fail(f"nothing on record for {ident}: an object's key reads live/faces/<source>/<name>")
    for row in rows:
        row["seen"] = cloud.records.sightings(row["drop_id"])
        row["done_about_it"] = cloud.records.notes(row["drop_id"])
    if as_json:
        _lines(rows)
        return
    for row in rows:
        out.print(_record(cloud, row))


def _found(cloud: Deployment, ident: str) -> list[dict[str, Any]]:
    if "/" in ident:
        uri = ident if ident.startswith("s3://") else f"s3://{cloud.outputs['PhotosBucket']}/{ident}"
        return [row for drop in cloud.records.of_object(uri) if (row := cloud.records.drop(drop))]
    exact = cloud.records.drop(ident)
    if exact:
        return [exact]
    return [row for row in _newest(cloud, "drops", 7, 10_000) if row["drop_id"].startswith(ident)]


def _record(cloud: Deployment, row: dict[str, Any]) -> Table:
    made = table(f"Drop {row['drop_id']}", "", "")
    made.add_row("state", coloured(row["state"]))
    for name in ("reason", "message", "error", "stage", "lane", "model", "taken_from", "release", "attempts"):
        if row.get(name):
            made.add_row(name.replace("_", " "), str(row[name]))
    for name in ("happened_at", "first_claimed_at", "settled_at"):
        if row.get(name):
            made.add_row(name.replace("_", " "), row[name])
    if row.get("origin"):
        made.add_row("object", f"{row['object']} {row['origin'].get('version', '')}")
    for stage, ms in row.get("times_ms", {}).items():
        made.add_row(f"  {stage}", f"{ms:.1f} ms")
    for sighting in row["seen"]:
        made.add_row("seen", who(cloud, sighting) + f"  {number(sighting.get('score'))}")
    for note in row["done_about_it"]:
        made.add_row(note["deed"], f"{note['sk'].removeprefix('note#')[:19]}  {note['why']}")
    return made


def _newest(cloud: Deployment, kind: str, days: int, most: int) -> list[dict[str, Any]]:
    return cloud.records.newest(kind, since=datetime.now(UTC) - timedelta(days=days), most=most)


def _lines(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        print(json.dumps(row, default=_plain, ensure_ascii=False))


def _plain(thing: Any) -> Any:
    """What JSON has no word for: sets."""
    if isinstance(thing, frozenset):
        return sorted(thing)
    raise TypeError(type(thing).__name__)
