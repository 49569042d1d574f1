"""How a deployment is, read from what those who mend write down, and from its queues."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import click
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cloud.cloudwatch import CloudWatch
from cloud.dynamodb.counters import DynamoLaneCounts
from cloud.dynamodb.maintenance_state import DynamoFaultCases, load_controller_state, load_reconcile_progress
from cloud.dynamodb.state import DynamoStateStore, PausedLanes
from infra.monitoring.slo import Objective, SloConfig, read_slo_config
from vigil.reliability.capacity import CapacityLimits
from vigil.reliability.controller import LANES, ControllerState, initial_state, lane_breaker_state
from vigil.reliability.dead_letters import FaultCase
from vigil.reliability.lane_counts import LaneCounts
from vigil.reliability.reconcile import Completeness
from vigil.reliability.slo import SloStatus, evaluate_objectives, parse_objectives
from vigil_cli.commands.alarms import Alarm, list_alarms
from vigil_cli.console import format_age, new_table, out
from vigil_cli.deployment import Deployment
from vigil_cli.paths import ROOT
from vigil_cli.session import Session

LOOKBACK = timedelta(hours=1)
"""What rates are of: as long as lanes' tallies are kept."""


@dataclass(frozen=True, slots=True)
class LaneCondition:
    """One lane: messages by where they are, its workers, what was counted in the last hour."""

    name: str
    visible_messages: int
    in_flight: int
    dead_letters: int
    workers: int
    breaker: str
    paused: bool
    calls: int
    failures: int
    age_s: float

    @property
    def success_share(self) -> float | None:
        """Deliveries that came to an answer at once / all, 0 to 1; None where there were none."""
        return 1 - self.failures / self.calls if self.calls else None


@dataclass(frozen=True, slots=True)
class SystemCondition:
    """All that `vigil status` shows; `steady` is None before balance has ever run."""

    lanes: Sequence[LaneCondition]
    controller: ControllerState | None
    completeness: Completeness | None
    faults: Sequence[FaultCase]
    unpublished: int
    alarms: Sequence[Alarm]
    slos: Sequence[SloStatus] = ()

    @property
    def firing_alarms(self) -> Sequence[Alarm]:
        return [alarm for alarm in self.alarms if alarm.is_firing]


def read_condition(cloud: Deployment) -> SystemCondition:
    """Look once."""
    dynamodb, table = cloud.client("dynamodb"), cloud.outputs["RecordsTable"]
    states, tallies, now = (
        DynamoStateStore(dynamodb, table),
        DynamoLaneCounts(dynamodb, table),
        datetime.now(UTC),
    )
    controller = (
        load_controller_state(states, lambda: initial_state(CapacityLimits(0), now))
        if states.get("controller")
        else None
    )
    paused = PausedLanes(states).lanes()
    counts = {lane: tallies.since(lane, now - LOOKBACK) for lane in LANES}
    return SystemCondition(
        [_read_lane(cloud, name, controller, counts[name], paused=name in paused) for name in LANES],
        controller,
        load_reconcile_progress(states).last_complete,
        sorted(DynamoFaultCases(states).load_cases().values(), key=lambda case: case.since, reverse=True),
        _message_counts(cloud, "PublishDeadLettersUrl")[0],
        list_alarms(cloud),
        _read_slos(cloud, now),
    )


def _read_slos(cloud: Deployment, now: datetime) -> Sequence[SloStatus]:
    """How each is kept, by what the functions counted."""
    objectives = parse_objectives((ROOT / "infra" / "slo.toml").read_text("utf-8"))
    stage = str(cloud.outputs["RecordsTable"]).removeprefix("vigil-").removesuffix("-records")
    sums = partial(CloudWatch(cloud.client("cloudwatch")).sum_by_window, f"Vigil/{stage}", now=now)
    return evaluate_objectives(objectives, sums)


def _read_lane(
    cloud: Deployment,
    name: str,
    controller: ControllerState | None,
    counts: Sequence[LaneCounts],
    *,
    paused: bool,
) -> LaneCondition:
    visible, in_flight = _message_counts(cloud, f"{name.capitalize()}QueueUrl")
    workers: Mapping[str, Any] = (
        {"live": controller.allocation.live, "bulk": controller.allocation.bulk} if controller else {}
    )
    return LaneCondition(
        name=name,
        visible_messages=visible,
        in_flight=in_flight,
        dead_letters=sum(_message_counts(cloud, f"{name.capitalize()}DeadLettersUrl")),
        workers=workers.get(name, 0),
        breaker=lane_breaker_state(name, controller.breakers) if controller else "closed",
        paused=paused,
        calls=sum(one.calls for one in counts),
        failures=sum(sum(one.failures.values()) for one in counts),
        age_s=max((one.age_s for one in counts[-6:]), default=0.0),
    )


def _message_counts(cloud: Deployment, url_output: str) -> tuple[int, int]:
    """Visible or delayed, and in a worker's hand."""
    if url_output not in cloud.outputs:
        return 0, 0
    names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "Delayed", "NotVisible")]
    attributes = cloud.client("sqs").get_queue_attributes(
        QueueUrl=cloud.outputs[url_output], AttributeNames=names
    )
    visible, delayed, in_flight = (int(attributes["Attributes"][name]) for name in names)
    return visible + delayed, in_flight


# MERGED: `vigil status`: promises, lanes, breakers, dead letters and faults at one look.

GOOD, BAD, WARN, DIM = "green", "bold red", "yellow", "dim"
_BREAKER_LABELS = {
    "closed": ("runs", GOOD),
    "half-open": ("on probation", WARN),
    "open": ("stands still", BAD),
}
"""A lane by the worst of its breakers."""

MAX_FAULTS = 8

COMFORTABLE_BUDGET = 0.5
"""So much of a budget is left while nobody has to think of it."""


def status(session: Session) -> None:
    """Show objectives, lanes, alarms and faults; exit code 1 if something needs attention.

    Example: ./vigil status
    """
    condition = read_condition(session.deployment())
    slo_config = read_slo_config((ROOT / "infra" / "slo.toml").read_text())
    parts = [
        _slo_table(condition, slo_config),
        _lanes_table(condition),
        *_alarm_tables(condition),
        _faults_table(condition),
        _footnotes(condition),
    ]
    spaced = [renderable for part in parts for renderable in (part, Text())][:-1]
    healthy = is_healthy(condition, slo_config)
    title = Text("all is well" if healthy else "needs attention", style=GOOD if healthy else BAD)
    out.print(Panel(Group(*spaced), title=title, title_align="left", padding=(1, 2), expand=False))
    if not healthy:
        raise click.exceptions.Exit(1)


def _good_shares(condition: SystemCondition) -> dict[str, float | None]:
    """The good share of each promise in the last hour, by its name in infra/slo.toml."""
    measured = {slo.objective.name: slo.good_share.get("1h") for slo in condition.slos}
    calls, failures = (sum(getattr(lane, name) for lane in condition.lanes) for name in ("calls", "failures"))
    return measured | {
        "availability": 1 - failures / calls if calls else None,
        "completeness": condition.completeness.ratio if condition.completeness else None,
    }


def _slo_table(condition: SystemCondition, slo_config: SloConfig) -> Table:
    table = new_table("Promises", "promise", ">target", ">now", ">budget left", "what it says")
    shares, budgets = (
        _good_shares(condition),
        {slo.objective.name: slo.budget_remaining for slo in condition.slos},
    )
    for objective in slo_config.objectives:
        now = _current_text(objective, shares.get(objective.name), condition)
        description = Text(objective.description, style=DIM)
        table.add_row(
            objective.name,
            f"{objective.target:.2%}",
            now,
            _budget_text(budgets.get(objective.name)),
            description,
        )
    return table


def _budget_text(budget: float | None) -> Text:
    """Of the budget of 30 days; nothing is left of one that was overspent."""
    if budget is None:
        return Text("no data", style=DIM)
    return Text(
        f"{max(budget, 0.0):.0%}", style=GOOD if budget >= COMFORTABLE_BUDGET else WARN if budget > 0 else BAD
    )


def _current_text(objective: Objective, share: float | None, condition: SystemCondition) -> Text:
    """The share itself where it is on record, else what its alarms say."""
    if share is not None:
        return Text(f"{share:.2%}", style=GOOD if share >= objective.target else BAD)
    states = {alarm.state for alarm in condition.alarms if alarm.section == objective.name}
    if "ALARM" in states:
        return Text("broken", style=BAD)
    return Text("kept", style=GOOD) if "OK" in states else Text("no data", style=DIM)


def _lanes_table(condition: SystemCondition) -> Table:
    table = new_table("Lanes, in the last hour", "lane", "state", ">waiting", ">in hand", ">oldest")
    for name in ("workers", "calls", "failed", "dead"):
        table.add_column(name, justify="right")
    for lane in condition.lanes:
        table.add_row(
            Text(lane.name, style="bold"),
            _lane_state_text(lane),
            str(lane.visible_messages),
            str(lane.in_flight),
            f"{lane.age_s:.1f} s",
            str(lane.workers or "-"),
            str(lane.calls),
            Text(str(lane.failures), style=WARN if lane.failures else DIM),
            Text(str(lane.dead_letters), style=BAD if lane.dead_letters else DIM),
        )
    return table


def _lane_state_text(lane: LaneCondition) -> Text:
    label, style = ("paused", WARN) if lane.paused else _BREAKER_LABELS[lane.breaker]
    return Text(label, style=style)


def _alarm_tables(condition: SystemCondition) -> list[Table]:
    """Nothing where none rings."""
    if not condition.firing_alarms:
        return []
    table = new_table("Alarms that ring", "alarm", "since", "what it says")
    for alarm in condition.firing_alarms:
        table.add_row(Text(alarm.name, style=BAD), format_age(alarm.since), alarm.description)
    return [table]


def _faults_table(condition: SystemCondition) -> Table | Text:
    if not condition.faults:
        return Text("triage knows of no fault", style=DIM)
    table = new_table("Faults that triage knows", "fault", "what", "stage", "whose", "now", "since")
    for fault in condition.faults[:MAX_FAULTS]:
        fingerprint = fault.fingerprint
        table.add_row(
            fingerprint.id[:8],
            fingerprint.kind,
            fingerprint.stage,
            fingerprint.dependency,
            fault.phase,
            format_age(fault.since),
        )
    return table


def _footnotes(condition: SystemCondition) -> Group:
    lines = [_completeness_text(condition), _degradation_text(condition)]
    if condition.unpublished:
        lines.append(Text(f"outcomes that wait to be told again: {condition.unpublished}", style=WARN))
    if len(condition.faults) > MAX_FAULTS:
        lines.append(Text(f"{len(condition.faults) - MAX_FAULTS} older faults are not shown", style=DIM))
    return Group(*lines)


def _degradation_text(condition: SystemCondition) -> Text:
    level = condition.controller.degradation.level if condition.controller else 0
    if level:
        return Text(f"degradation: {level} steps given up", style=WARN)
    controller_age = (
        f"; balance looked {format_age(condition.controller.at)}"
        if condition.controller
        else "; balance has not run yet"
    )
    return Text(f"degradation: none{controller_age}", style=DIM)


def _completeness_text(condition: SystemCondition) -> Text:
    if condition.completeness is None:
        return Text("completeness: no whole walk over the bucket yet", style=DIM)
    processed, total = condition.completeness.completed, condition.completeness.objects
    return Text(
        f"completeness: {processed} of {total} objects have an end",
        style=GOOD if processed == total else WARN,
    )


def is_healthy(condition: SystemCondition, slo_config: SloConfig) -> bool:
    """Whether nobody has to look: promises kept, no alarm, both lanes at work."""
    shares = {name: share for name, share in _good_shares(condition).items() if share is not None}
    slos_met = all(shares.get(one.name, 1.0) >= one.target for one in slo_config.objectives)
    return (
        slos_met and not condition.firing_alarms and all(_is_lane_healthy(lane) for lane in condition.lanes)
    )


def _is_lane_healthy(lane: LaneCondition) -> bool:
    return lane.breaker != "open" and not lane.paused and not lane.dead_letters
