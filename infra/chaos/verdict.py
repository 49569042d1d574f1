"""What became of a play's drops, and what of it must not be."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.chaos.crowd import POISON
from infra.chaos.stage import Stage

Fate = tuple[str, int]
"""How a drop ended, and how many alerts it raised."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One act's ends, counted.

    fates   what became of drops, by what they show
    alerts  alerts that drops raised, all together
    lost    drops without an end, or whose end or alert nobody was told
    double  drops with two ends, two sets of sightings, or counted twice by an alert
    """

    states: Mapping[str, int]
    fates: Mapping[str, Mapping[Fate, int]]
    alerts: int
    lost: tuple[str, ...]
    double: tuple[str, ...]

    def differs(self, quiet: Verdict) -> list[str]:
        """Sentences on what ended otherwise than in a quiet run; none where all is as it should be."""
        said = [f"lost: {one}" for one in self.lost] + [f"double: {one}" for one in self.double]
        for kind, fates in sorted(self.fates.items()):
            wanted = {("quarantined", 0)} if kind == POISON else set(quiet.fates.get(kind, {}))
            for fate, count in fates.items():
                if fate not in wanted:
                    said.append(f"{count} {kind} ended {fate}, should be {sorted(wanted)}")
        return said


def judge(stage: Stage, act: str) -> Verdict:
    """Count the ends of all drops on a stage; `act` is the part of sources' names that is its own."""
    rows = {drop: stage.row(drop) for drop in stage.drops}
    fates: defaultdict[str, Counter[Fate]] = defaultdict(Counter)
    for drop, thing in stage.drops.items():
        fates[thing.kind][rows[drop].get("state", "nothing"), rows[drop].get("alerts", 0)] += 1
    alerts = [row for row in _alert_rows(stage) if row["taken_from"].endswith(f"-{act}")]
    return Verdict(
        Counter(row.get("state", "nothing") for row in rows.values()),
        fates,
        sum(row.get("alerts", 0) for row in rows.values()),
        (*_lost(stage, rows), *_untold(stage, alerts)),
        (*_double(stage, rows), *_counted_twice(rows, alerts)),
    )


def _alert_rows(stage: Stage) -> list[dict[str, Any]]:
    return stage.cloud.records.newest("alerts", since=datetime.now(UTC) - timedelta(days=2), most=100_000)


def _lost(stage: Stage, rows: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for drop, row in rows.items():
        if row.get("state", "claimed") == "claimed":
            yield f"{stage.drops[drop].name} has no end"
        elif f"{drop}.{row['state']}" not in stage.listener.heard:
            yield f"{stage.drops[drop].name}: its end was not told"


def _untold(stage: Stage, alerts: list[dict[str, Any]]) -> Iterator[str]:
    told = {event["data"]["alert"] for event in stage.listener.of_type("vigil.alert.raised")}
    yield from (f"alert {row['alert_id']} was not told" for row in alerts if row["alert_id"] not in told)


def _double(stage: Stage, rows: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    ends: defaultdict[str, set[str]] = defaultdict(set)
    for event in stage.listener.events.values():
        if event["type"].startswith("vigil.drop."):
            ends[event["subject"]].add(event["id"])
    for drop, row in rows.items():
        name = stage.drops[drop].name
        if len(ends[drop]) > 1:
            yield f"{name} has ends {sorted(ends[drop])}"
        if row.get("state") == "done" and len(stage.cloud.records.sightings(drop)) != row["sightings"]:
            yield f"{name} has sightings of two attempts"


def _counted_twice(rows: Mapping[str, Mapping[str, Any]], alerts: list[dict[str, Any]]) -> Iterator[str]:
    counted, raised = sum(row["drops"] for row in alerts), sum(row.get("alerts", 0) for row in rows.values())
    if counted != raised:
        yield f"alerts count {counted} drops, drops raised {raised}"
