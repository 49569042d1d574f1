"""`vigil status`: promises, lanes, breakers, dead letters and faults at one look."""

from datetime import UTC, datetime

import typer
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from infra.cli.condition import Condition, Lane, condition
from infra.cli.deployment import Data, Stage, reached
from infra.cli.places import DATA, ROOT
from infra.cli.saying import out, table
from infra.slo.objectives import Plan, read

GOOD, BAD, NOTHING = "green", "bold red", "dim"
_STATES = {"closed": GOOD, "half-open": "yellow", "open": BAD}


def status(stage: Stage = "", data: Data = DATA) -> None:
    """Show how the system is; exit code 1 while a promise is broken or a lane stands still."""
    seen = condition(reached(stage, data))
    plan = read((ROOT / "infra" / "slo.toml").read_text())
    parts = Group(_promises(seen, plan), Text(), _lanes(seen), Text(), _mending(seen))
    fine = _fine(seen, plan)
    mark = Text("all is well" if fine else "something needs a look", style=GOOD if fine else BAD)
    out.print(Panel(parts, title=mark, title_align="left", padding=(1, 2), expand=False))
    if not fine:
        raise typer.Exit(1)


def _shares(seen: Condition) -> dict[str, float | None]:
    """The good share of each promise that is on record here, by its name in infra/slo.toml."""
    calls, failures = (sum(getattr(lane, name) for lane in seen.lanes) for name in ("calls", "failures"))
    return {
        "availability": 1 - failures / calls if calls else None,
        "completeness": seen.census.completeness if seen.census else None,
    }


def _promises(seen: Condition, plan: Plan) -> Table:
    made = table("Promises", "promise", ">target", ">now", "what it says")
    shares = _shares(seen)
    for objective in plan.objectives:
        share = shares.get(objective.name)
        style = NOTHING if share is None else GOOD if share >= objective.target else BAD
        now = Text("-" if share is None else f"{share:.3%}", style=style)
        made.add_row(objective.name, f"{objective.target:.2%}", now, Text(objective.says, style=NOTHING))
    return made


def _lanes(seen: Condition) -> Table:
    made = table(
        "Lanes", "lane", ">waiting", ">in hand", ">oldest", ">workers", "breaker", ">1 h", ">failed", ">dead"
    )
    for lane in seen.lanes:
        made.add_row(
            Text(lane.name, style="bold"),
            str(lane.waiting),
            str(lane.in_hand),
            f"{lane.age_s:.1f} s",
            str(lane.workers or "-"),
            Text(lane.breaker, style=_STATES[lane.breaker]),
            str(lane.calls),
            Text(str(lane.failures), style="yellow" if lane.failures else NOTHING),
            Text(str(lane.dead), style=BAD if lane.dead else NOTHING),
        )
    return made


def _mending(seen: Condition) -> Group:
    lines = [_degraded(seen), _complete(seen)]
    lines += [Text(f"alarm {name}: {says}", style=BAD) for name, says in seen.alarms]
    if seen.untold:
        lines.append(Text(f"outcomes that wait to be told again: {seen.untold}", style="yellow"))
    if not seen.cases:
        return Group(*lines, Text("triage knows of no fault", style=NOTHING))
    made = table("Faults that triage knows", "fault", "kind", "stage", "whose", "phase", "since")
    for case in seen.cases[:8]:
        mark, ago = case.fingerprint, _ago(case.since)
        made.add_row(mark.id[:8], mark.kind, mark.stage, mark.dependency, case.phase, ago)
    return Group(*lines, Text(), made)


def _degraded(seen: Condition) -> Text:
    level = seen.steady.relief.level if seen.steady else 0
    if level:
        return Text(f"degradation: {level} steps given up", style="yellow")
    looked = f"; balance looked {_ago(seen.steady.at)}" if seen.steady else "; balance has not run yet"
    return Text(f"degradation: none{looked}", style=NOTHING)


def _complete(seen: Condition) -> Text:
    if seen.census is None:
        return Text("completeness: no whole walk over the bucket yet", style=NOTHING)
    found, of = seen.census.settled, seen.census.objects
    return Text(f"completeness: {found} of {of} objects have an end", style=GOOD if found == of else "yellow")


def _fine(seen: Condition, plan: Plan) -> bool:
    shares = _shares(seen)
    kept = all((shares.get(one.name) or 1.0) >= one.target for one in plan.objectives)
    return kept and not seen.alarms and all(_runs(lane) for lane in seen.lanes)


def _runs(lane: Lane) -> bool:
    return lane.breaker != "open" and not lane.dead


def _ago(then: datetime) -> str:
    seconds = (datetime.now(UTC) - then).total_seconds()
    return f"{seconds:.0f} s ago" if seconds < 120 else f"{seconds / 60:.0f} min ago"
