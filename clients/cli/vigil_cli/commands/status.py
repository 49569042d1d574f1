"""`vigil status`: objectives, lanes, firing alarms and faults of a deployment on one page."""

from collections import Counter
from collections.abc import Sequence

import click
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from vigil_cli.commands.alarms import firing_table
from vigil_cli.console import BAD, DIM, GOOD, SEVERITIES, WARN, coloured, days_ago, format_age, new_table
from vigil_cli.session import Session, fetch_rows
from vigil_client.types import AlarmOut, AlertOut, FaultOut, LaneStatus, Slo, SystemStatus, UnpublishedEvents

LANE_STATES = {
    "closed": ("running", GOOD),
    "half-open": ("on probation", WARN),
    "open": ("stopped", BAD),
    "paused": ("paused", WARN),
}
"""State of a lane's worst circuit breaker, or paused -> its label and style."""

OPEN_ALERT_DAYS = 7
"""The age of the alerts that are counted."""

MAX_FAULTS = 8
"""The newest faults are shown; --json has all."""

COMFORTABLE_BUDGET = 0.5
"""The share of an error budget above which nobody needs to act."""


def status(session: Session) -> None:
    """Show objectives, lanes, firing alarms and faults; exit code 1 if something needs attention.

    Example: ./vigil status
    """
    with session.api("operator") as api:
        current = api.get_status()
        firing = [alarm for alarm in api.list_alarms() if alarm["state"] == "ALARM"]
        faults = api.get_triage()["faults"]
        pages = api.list_alerts(review="open", since=days_ago(OPEN_ALERT_DAYS))
        open_alerts, _ = fetch_rows(pages, None)
    healthy = is_healthy(current, firing)
    row = {
        **current,
        "firing_alarms": firing,
        "faults": faults,
        "open_alerts": open_alerts,
        "healthy": healthy,
    }
    session.show([row], lambda: _page(current, firing, faults, open_alerts, healthy=healthy))
    if not healthy:
        raise click.exceptions.Exit(1)


def is_healthy(current: SystemStatus, firing: Sequence[AlarmOut]) -> bool:
    """Whether every objective with data is met, no alarm fires, and both lanes run without dead letters."""
    ratios = [(slo, good_ratio(slo, current)) for slo in current["slos"]]
    return (
        all(ratio is None or ratio >= slo["target"] for slo, ratio in ratios)
        and not firing
        and not any(
            _worst_state(lane) in ("open", "paused") or lane["dead_letters"] for lane in current["lanes"]
        )
    )


def good_ratio(slo: Slo, current: SystemStatus) -> float | None:
    """The share of good events in the last hour; of completeness, that of the last pass over the bucket."""
    counts = current.get("completeness")
    if slo["name"] == "completeness" and counts and counts["objects"]:
        return counts["completed"] / counts["objects"]
    return slo["good_ratio"].get("1h")


def _worst_state(lane: LaneStatus) -> str:
    if lane["paused"]:
        return "paused"
    states = {breaker["state"] for breaker in lane.get("breakers", ())}
    return next((state for state in ("open", "half-open") if state in states), "closed")


def _page(
    current: SystemStatus,
    firing: Sequence[AlarmOut],
    faults: Sequence[FaultOut],
    open_alerts: Sequence[AlertOut],
    *,
    healthy: bool,
) -> Panel:
    parts: list[RenderableType] = [_slo_table(current), _lanes_table(current["lanes"])]
    parts.append(_open_alerts_text(open_alerts))
    if firing:
        parts.append(firing_table(firing))
    parts.append(_faults_table(faults))
    unpublished = _unpublished_texts(current["unpublished"])
    parts.append(Group(_completeness_text(current), _degradation_text(current), *unpublished))
    spaced = [one for part in parts for one in (part, Text())][:-1]
    title = Text("all is well" if healthy else "needs attention", style=GOOD if healthy else BAD)
    return Panel(Group(*spaced), title=title, title_align="left", padding=(1, 2), expand=False)


def _slo_table(current: SystemStatus) -> Table:
    table = new_table("Objectives", "objective", ">target", ">last hour", ">budget left", "meaning")
    for slo in current["slos"]:
        ratio = good_ratio(slo, current)
        now = (
            Text("no data", style=DIM)
            if ratio is None
            else Text(f"{ratio:.2%}", style=GOOD if ratio >= slo["target"] else BAD)
        )
        budget = _budget_text(slo.get("budget_remaining"))
        table.add_row(slo["name"], f"{slo['target']:.2%}", now, budget, Text(slo["description"], style=DIM))
    return table


def _budget_text(budget: float | None) -> Text:
    """The rest of the budget of 30 days; 0 % also when more is used up."""
    if budget is None:
        return Text("no data", style=DIM)
    style = GOOD if budget >= COMFORTABLE_BUDGET else WARN if budget > 0 else BAD
    return Text(f"{max(budget, 0.0):.0%}", style=style)


def _lanes_table(lanes: Sequence[LaneStatus]) -> Table:
    """The columns calls and failed are of the last 10 minutes."""
    columns = ("lane", "state", ">waiting", ">in flight", ">oldest", ">workers", ">calls", ">failed", ">dead")
    table = new_table("Lanes, with the calls of the last 10 minutes", *columns, "dependencies")
    for lane in lanes:
        failed = sum(lane["failures"].values())
        table.add_row(
            Text(lane["lane"], style="bold"),
            Text(*LANE_STATES[_worst_state(lane)]),
            str(lane["visible_messages"]),
            str(lane["in_flight_messages"]),
            f"{lane['oldest_message_age_s']:.0f} s",
            str(lane.get("workers", "-")),
            str(lane["calls"]),
            Text(str(failed), style=WARN if failed else DIM),
            Text(str(lane["dead_letters"]), style=BAD if lane["dead_letters"] else DIM),
            _dependencies_text(lane),
        )
    return table


def _dependencies_text(lane: LaneStatus) -> str:
    """Failures by dependency, and the breakers that are not closed."""
    failures = [f"{name} failed {count} times" for name, count in lane["failures"].items()]
    breakers = [
        f"{one['dependency']} {one['state']} since {format_age(one['since'])}"
        for one in lane.get("breakers", ())
        if one["state"] != "closed"
    ]
    return ", ".join([*failures, *breakers])


def _faults_table(faults: Sequence[FaultOut]) -> RenderableType:
    if not faults:
        return Text("triage knows of no fault", style=DIM)
    table = new_table("Faults that triage knows", "fault", "error", "stage", "dependency", "phase", "since")
    for fault in faults[:MAX_FAULTS]:
        last = (fault["dependency"], fault["phase"], format_age(fault["since"]))
        table.add_row(fault["id"][:8], fault["kind"], fault["stage"], *last)
    return table


def _open_alerts_text(alerts: Sequence[AlertOut]) -> Text:
    """How many alerts wait for a decision, by severity and rule."""
    if not alerts:
        return Text(f"open alerts: none in {OPEN_ALERT_DAYS} days", style=DIM)
    counts = Counter((one["severity"], one["rule"]) for one in alerts)
    ordered = sorted(counts.items(), key=lambda item: (-SEVERITIES.index(item[0][0]), -item[1]))
    text = Text(f"open alerts: {len(alerts)} (./vigil alerts --open)")
    for (severity, rule), count in ordered:
        text.append(f"\n  {count} ").append_text(coloured(severity)).append(f" {rule}")
    return text


def _completeness_text(current: SystemStatus) -> Text:
    counts = current.get("completeness")
    if counts is None:
        return Text("completeness: reconcile has not finished a pass over the bucket yet", style=DIM)
    style = GOOD if counts["completed"] == counts["objects"] else WARN
    return Text(
        f"completeness: {counts['completed']} of {counts['objects']} objects have a result", style=style
    )


def _degradation_text(current: SystemStatus) -> Text:
    level = current["degradation_level"]
    return Text(f"degradation: level {level}" if level else "degradation: none", style=WARN if level else DIM)


def _unpublished_texts(unpublished: UnpublishedEvents) -> Sequence[Text]:
    """Nothing if every event is published."""
    if not unpublished["batches"]:
        return []
    age_s = unpublished["oldest_age_s"]
    text = f"unpublished events: {unpublished['batches']} batches, the oldest {age_s:.0f} s old"
    return [Text(text, style=WARN)]
