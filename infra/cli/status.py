"""`vigil status`: promises, lanes, breakers, dead letters and faults at one look."""

import typer
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from infra.cli.condition import Condition, Lane, condition
from infra.cli.deployment import Data, Stage, reached
from infra.cli.places import DATA, ROOT
from infra.cli.saying import ago, out, table
from infra.slo.objectives import Objective, Plan, read

GOOD, BAD, SO_SO, NOTHING = "green", "bold red", "yellow", "dim"
_STATES = {"closed": ("runs", GOOD), "half-open": ("on probation", SO_SO), "open": ("stands still", BAD)}
"""A lane by the worst of its breakers."""

MOST_FAULTS = 8

SPARE = 0.5
"""So much of a budget is left while nobody has to think of it."""


def status(stage: Stage = "", data: Data = DATA) -> None:
    """Show how the system is; exit code 1 while a promise is broken, an alarm rings or a lane stands still.

    Example: ./vigil status
    """
    seen = condition(reached(stage, data))
    plan = read((ROOT / "infra" / "slo.toml").read_text())
    parts = [_promises(seen, plan), _lanes(seen), *_ringing(seen), _faults(seen), _footnotes(seen)]
    spaced = [one for part in parts for one in (part, Text())][:-1]
    well = fine(seen, plan)
    mark = Text("all is well" if well else "something needs a look", style=GOOD if well else BAD)
    out.print(Panel(Group(*spaced), title=mark, title_align="left", padding=(1, 2), expand=False))
    if not well:
        raise typer.Exit(1)


def _shares(seen: Condition) -> dict[str, float | None]:
    """The good share of each promise in the last hour, by its name in infra/slo.toml."""
    counted = {one.objective.name: one.good.get("1h") for one in seen.promises}
    calls, failures = (sum(getattr(lane, name) for lane in seen.lanes) for name in ("calls", "failures"))
    return counted | {
        "availability": 1 - failures / calls if calls else None,
        "completeness": seen.census.completeness if seen.census else None,
    }


def _promises(seen: Condition, plan: Plan) -> Table:
    made = table("Promises", "promise", ">target", ">now", ">budget left", "what it says")
    shares, left = _shares(seen), {one.objective.name: one.left for one in seen.promises}
    for objective in plan.objectives:
        now = _now(objective, shares.get(objective.name), seen)
        says = Text(objective.says, style=NOTHING)
        made.add_row(objective.name, f"{objective.target:.2%}", now, _left(left.get(objective.name)), says)
    return made


def _left(budget: float | None) -> Text:
    """Of the budget of 30 days; nothing is left of one that was overspent."""
    if budget is None:
        return Text("no data", style=NOTHING)
    return Text(f"{max(budget, 0.0):.0%}", style=GOOD if budget >= SPARE else SO_SO if budget > 0 else BAD)


def _now(objective: Objective, share: float | None, seen: Condition) -> Text:
    """The share itself where it is on record, else what its alarms say."""
    if share is not None:
        return Text(f"{share:.2%}", style=GOOD if share >= objective.target else BAD)
    states = {alarm.state for alarm in seen.alarms if alarm.section == objective.name}
    if "ALARM" in states:
        return Text("broken", style=BAD)
    return Text("kept", style=GOOD) if "OK" in states else Text("no data", style=NOTHING)


def _lanes(seen: Condition) -> Table:
    made = table("Lanes, in the last hour", "lane", "state", ">waiting", ">in hand", ">oldest")
    for name in ("workers", "calls", "failed", "dead"):
        made.add_column(name, justify="right")
    for lane in seen.lanes:
        made.add_row(
            Text(lane.name, style="bold"),
            _state(lane),
            str(lane.waiting),
            str(lane.in_hand),
            f"{lane.age_s:.1f} s",
            str(lane.workers or "-"),
            str(lane.calls),
            Text(str(lane.failures), style=SO_SO if lane.failures else NOTHING),
            Text(str(lane.dead), style=BAD if lane.dead else NOTHING),
        )
    return made


def _state(lane: Lane) -> Text:
    word, style = ("paused", SO_SO) if lane.paused else _STATES[lane.breaker]
    return Text(word, style=style)


def _ringing(seen: Condition) -> list[Table]:
    """Nothing where none rings."""
    if not seen.ringing:
        return []
    made = table("Alarms that ring", "alarm", "since", "what it says")
    for alarm in seen.ringing:
        made.add_row(Text(alarm.name, style=BAD), ago(alarm.since), alarm.says)
    return [made]


def _faults(seen: Condition) -> Table | Text:
    if not seen.cases:
        return Text("triage knows of no fault", style=NOTHING)
    made = table("Faults that triage knows", "fault", "what", "stage", "whose", "now", "since")
    for case in seen.cases[:MOST_FAULTS]:
        mark = case.fingerprint
        made.add_row(mark.id[:8], mark.kind, mark.stage, mark.dependency, case.phase, ago(case.since))
    return made


def _footnotes(seen: Condition) -> Group:
    lines = [_complete(seen), _degraded(seen)]
    if seen.untold:
        lines.append(Text(f"outcomes that wait to be told again: {seen.untold}", style=SO_SO))
    if len(seen.cases) > MOST_FAULTS:
        lines.append(Text(f"{len(seen.cases) - MOST_FAULTS} older faults are not shown", style=NOTHING))
    return Group(*lines)


def _degraded(seen: Condition) -> Text:
    level = seen.steady.relief.level if seen.steady else 0
    if level:
        return Text(f"degradation: {level} steps given up", style=SO_SO)
    looked = f"; balance looked {ago(seen.steady.at)}" if seen.steady else "; balance has not run yet"
    return Text(f"degradation: none{looked}", style=NOTHING)


def _complete(seen: Condition) -> Text:
    if seen.census is None:
        return Text("completeness: no whole walk over the bucket yet", style=NOTHING)
    found, of = seen.census.settled, seen.census.objects
    return Text(f"completeness: {found} of {of} objects have an end", style=GOOD if found == of else SO_SO)


def fine(seen: Condition, plan: Plan) -> bool:
    """Whether nobody has to look: promises kept, no alarm, both lanes at work."""
    shares = {name: share for name, share in _shares(seen).items() if share is not None}
    kept = all(shares.get(one.name, 1.0) >= one.target for one in plan.objectives)
    return kept and not seen.ringing and all(_runs(lane) for lane in seen.lanes)


def _runs(lane: Lane) -> bool:
    return lane.breaker != "open" and not lane.paused and not lane.dead
