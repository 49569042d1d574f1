"""Checks of a phase: outcomes, lost and duplicated drops, alert counts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.chaos.harness import Harness
from tests.chaos.workload import POISON

DropOutcome = tuple[str, int]
"""Final state of a drop and the number of alerts that it raised."""


@dataclass(frozen=True, slots=True)
class PhaseResult:
    """The counted outcomes of one phase.

    outcomes_by_kind  number of drops by kind of input and outcome
    alerts            number of alerts that all drops raised
    lost              drops without a final state, or with an unpublished outcome or alert
    duplicated        drops with two outcomes or two sets of sightings, or counted twice by an alert
    """

    states: Mapping[str, int]
    outcomes_by_kind: Mapping[str, Mapping[DropOutcome, int]]
    alerts: int
    lost: tuple[str, ...]
    duplicated: tuple[str, ...]

    def differences_from(self, baseline: PhaseResult) -> list[str]:
        """Return one sentence per difference from the run without faults."""
        differences = [f"lost: {one}" for one in self.lost] + [
            f"duplicated: {one}" for one in self.duplicated
        ]
        for kind, outcomes in sorted(self.outcomes_by_kind.items()):
            expected = (
                {("quarantined", 0)} if kind == POISON else set(baseline.outcomes_by_kind.get(kind, {}))
            )
            for outcome, count in outcomes.items():
                if outcome not in expected:
                    differences.append(f"{count} {kind} ended {outcome}, expected {sorted(expected)}")
        return differences


def check_phase(harness: Harness, phase: str) -> PhaseResult:
    """Count the outcomes of all drops; `phase` is the suffix of the phase's source names."""
    rows = {drop: harness.drop_row(drop) for drop in harness.drops}
    outcomes_by_kind: defaultdict[str, Counter[DropOutcome]] = defaultdict(Counter)
    for drop, item in harness.drops.items():
        outcomes_by_kind[item.kind][rows[drop].get("state", "nothing"), rows[drop].get("alerts", 0)] += 1
    alerts = [row for row in _alert_rows(harness) if row["source"].endswith(f"-{phase}")]
    return PhaseResult(
        Counter(row.get("state", "nothing") for row in rows.values()),
        outcomes_by_kind,
        sum(row.get("alerts", 0) for row in rows.values()),
        (*_lost_drops(harness, rows), *_unpublished_alerts(harness, alerts)),
        (*_duplicated_drops(harness, rows), *_miscounted_alerts(rows, alerts)),
    )


def _alert_rows(harness: Harness) -> list[dict[str, Any]]:
    return harness.deployment.records.newest(
        "alerts", since=datetime.now(UTC) - timedelta(days=2), limit=100_000
    )


def _lost_drops(harness: Harness, rows: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for drop, row in rows.items():
        if row.get("state", "claimed") == "claimed":
            yield f"{harness.drops[drop].name} has no outcome"
        elif f"{drop}.{row['state']}" not in harness.listener.deliveries:
            yield f"{harness.drops[drop].name}: its outcome was not published"


def _unpublished_alerts(harness: Harness, alerts: list[dict[str, Any]]) -> Iterator[str]:
    published = {event["data"]["alert"] for event in harness.listener.events_of_type("vigil.alert.raised")}
    yield from (
        f"alert {row['alert_id']} was not published" for row in alerts if row["alert_id"] not in published
    )


def _duplicated_drops(harness: Harness, rows: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    event_ids: defaultdict[str, set[str]] = defaultdict(set)
    for event in harness.listener.events.values():
        if event["type"].startswith("vigil.drop."):
            event_ids[event["subject"]].add(event["id"])
    for drop, row in rows.items():
        name = harness.drops[drop].name
        if len(event_ids[drop]) > 1:
            yield f"{name} has outcomes {sorted(event_ids[drop])}"
        if row.get("state") == "done" and len(harness.deployment.records.sightings(drop)) != row["sightings"]:
            yield f"{name} has sightings of two attempts"


def _miscounted_alerts(rows: Mapping[str, Mapping[str, Any]], alerts: list[dict[str, Any]]) -> Iterator[str]:
    counted, raised = sum(row["drops"] for row in alerts), sum(row.get("alerts", 0) for row in rows.values())
    if counted != raised:
        yield f"alerts count {counted} drops, drops raised {raised}"
