"""What became of the demo's drops: as a table, and as pictures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from infra.cli.deployment import Deployment
from infra.cli.draw import Label, annotate
from infra.cli.saying import table
from infra.cli.scenario import Scene
from infra.cli.tables import coloured, number, took_ms, who


@dataclass(frozen=True, slots=True)
class Outcome:
    """One dropped file, its record, and what was seen in it.

    names  who was recognised; "unknown", "ambiguous" or "unfit" for the others
    """

    scene: Scene
    row: dict[str, Any]
    sightings: list[dict[str, Any]]
    names: tuple[str, ...]

    @property
    def ended_as(self) -> str:
        return str(self.row.get("reason") or self.row["state"])

    @property
    def as_expected(self) -> bool:
        """Ended as it had to, with the person in it recognised where one had to be."""
        return self.ended_as == self.scene.expected and set(self.scene.people) <= set(self.names)


def outcomes_table(cloud: Deployment, outcomes: Sequence[Outcome], alerts: Sequence[dict[str, Any]]) -> Table:
    """A line a face; `alerts` are the data of the events that raised them."""
    raised = Counter((alert["drop"], alert["rule"]) for alert in alerts)
    made = table("What became of each", "object", ">faces", "who", ">score", ">threshold", "alert", ">ms")
    for outcome in outcomes:
        rules = [_times(rule, n) for (drop, rule), n in raised.items() if drop == outcome.row["drop_id"]]
        for line in _lines(cloud, outcome, ", ".join(rules)):
            made.add_row(*line)
    return made


def draw(cloud: Deployment, outcomes: Sequence[Outcome], folder: Path) -> None:
    """A picture of each photograph that was looked at, with its faces marked."""
    folder.mkdir(parents=True, exist_ok=True)
    for outcome in (outcome for outcome in outcomes if outcome.row["state"] == "done"):
        labels = [_label(cloud, sighting) for sighting in outcome.sightings]
        picture = annotate(outcome.scene.file.read_bytes(), labels)
        (folder / f"{outcome.scene.source}-{outcome.scene.file.stem}.png").write_bytes(picture)


def _lines(cloud: Deployment, outcome: Outcome, raised: str) -> list[list[str | Text]]:
    row, name = outcome.row, f"{outcome.scene.source}/{outcome.scene.file.name}"
    ms = took_ms(row)
    if row["state"] != "done":
        return [[name, "", coloured(f"{row['state']}: {outcome.ended_as}", row["state"]), "", "", "", ms]]
    alert = coloured(raised or ("counted on the first" if row.get("alerts") else ""), "warning")
    seen: list[list[str | Text]] = [
        [who(cloud, sighting), number(sighting.get("score")), number(sighting.get("threshold"))]
        for sighting in outcome.sightings
    ] or [["nobody", "", ""]]
    whole: list[list[str | Text]] = [[name, str(row["sightings"]), *seen[0], alert, ms]]
    return whole + [["", "", *more, "", ""] for more in seen[1:]]


def _label(cloud: Deployment, sighting: dict[str, Any]) -> Label:
    left, top, right, bottom = sighting["box_px"]
    return Label(
        box_px=(left, top, right, bottom),
        text=who(cloud, sighting).plain,
        status=sighting["status"],
        score=sighting.get("score"),
    )


def _times(rule: str, times: int) -> str:
    return rule if times == 1 else f"{rule} ×{times}"
