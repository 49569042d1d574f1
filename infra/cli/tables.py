"""Records as tables that a person reads."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from infra.cli.deployment import Deployment
from infra.cli.saying import table

COLOURS = {
    "done": "green",
    "known": "green",
    "rejected": "yellow",
    "ambiguous": "yellow",
    "unfit": "dim",
    "unknown": "cyan",
    "quarantined": "red",
    "critical": "bold red",
    "warning": "yellow",
}


def coloured(word: str, of: str = "") -> Text:
    """A word in the colour of its state."""
    return Text(word, style=COLOURS.get(of or word, ""))


def number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def took_ms(row: Mapping[str, Any]) -> str:
    """Milliseconds of the work: the stages' sum where it was kept, else from the claim to the end."""
    if row.get("times_ms"):
        return number(sum(row["times_ms"].values()), 0)
    if "settled_at" not in row:
        return ""
    began, ended = (datetime.fromisoformat(row[name]) for name in ("first_claimed_at", "settled_at"))
    return number((ended - began).total_seconds() * 1000, 0)


def who(cloud: Deployment, sighting: Mapping[str, Any]) -> Text:
    """An enrolled person's name, or what the sighting is instead."""
    name = cloud.name(sighting["label"]) if sighting["status"] == "known" else sighting["status"]
    faults = f" ({', '.join(sighting['faults'])})" if sighting.get("faults") else ""
    return coloured(f"{name}{faults}", sighting["status"])


def object_name(row: Mapping[str, Any]) -> str:
    """What a drop was: its object's key without lane and model, or the message."""
    key = row.get("origin", {}).get("key", "")
    return key.split("/", 2)[2] if key.count("/") >= 2 else key or "(message)"


def drops_table(cloud: Deployment, rows: Iterable[Mapping[str, Any]]) -> Table:
    """One line a sighting, the drop's own facts on its first."""
    made = table("Drops", "object", "state", ">seen", "who", ">score", ">needed", ">ms", "drop")
    for row in rows:
        seen = cloud.records.sightings(row["drop_id"]) if row.get("sightings") else []
        state = coloured(row["state"] + (f": {row['reason']}" if row.get("reason") else ""), row["state"])
        ms = took_ms(row)
        first: list[Any] = [object_name(row), state, str(row.get("sightings", ""))]
        for sighting in seen or [{}]:
            scores = [number(sighting.get("score")), number(sighting.get("threshold"))]
            found = [who(cloud, sighting) if sighting else "", *scores]
            made.add_row(*first, *found, ms, row["drop_id"][:12] if first[0] else "")
            first, ms = ["", "", ""], ""
    return made
