"""`vigil alarms`: those that wake people, in which state they are, and what the manual says to do."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.columns import Columns
from rich.markdown import Markdown
from rich.text import Text

from infra.cli.deployment import Data, Deployment, Stage, reached
from infra.cli.places import DATA, ROOT
from infra.cli.saying import ago, fail, out, table

MANUAL = "docs/operations.md"
_KINDS = ("MetricAlarm", "CompositeAlarm")
BAD = "bold red"
_STATES = {"ALARM": ("rings", BAD), "OK": ("quiet", "green"), "INSUFFICIENT_DATA": ("without data", "dim")}


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm that tells somebody; `section` is its place in the manual."""

    name: str
    state: str
    since: datetime
    says: str
    section: str
    reason: str

    @property
    def rings(self) -> bool:
        return self.state == "ALARM"


def alarms_of(cloud: Deployment) -> Sequence[Alarm]:
    """Every alarm that acts when it goes off, those that have gone off first."""
    prefix = str(cloud.outputs["RecordsTable"]).removesuffix("records")
    watch = cloud.client("cloudwatch").get_paginator("describe_alarms")
    pages = list(watch.paginate(AlarmNamePrefix=prefix, AlarmTypes=list(_KINDS)))
    found = [_alarm(one, prefix) for page in pages for kind in _KINDS for one in page.get(f"{kind}s", ())]
    return sorted((one for one in found if one), key=lambda one: (not one.rings, one.name))


def alarms(
    name: Annotated[str, typer.Argument(help="One of them: what it means and what to do.")] = "",
    stage: Stage = "",
    data: Data = DATA,
) -> None:
    """Show every alarm that wakes people, those that ring first; with a name, what the manual says about it.

    Example: ./vigil alarms live-dead-letters
    """
    found = alarms_of(reached(stage, data))
    if name:
        _one(found, name, stage)
        return
    made = table("Alarms that ring", "alarm", "since", "what it says")
    for alarm in found:
        if alarm.rings:
            made.add_row(Text(alarm.name, style=BAD), ago(alarm.since), alarm.says)
    out.print(made if made.row_count else Text("no alarm rings", style="green"))
    for state, word in (("OK", "quiet"), ("INSUFFICIENT_DATA", "without data")):
        names = [alarm.name for alarm in found if alarm.state == state]
        if names:
            out.print(f"\n{word}:")
            out.print(Columns(names, padding=(0, 3), column_first=True), style="dim")
    out.print("\nWhat one means and what to do: [bold]./vigil alarms NAME[/]")


def _one(found: Sequence[Alarm], name: str, stage: str) -> None:
    alarm = next((one for one in found if one.name == name.removeprefix("vigil-")), None)
    if alarm is None:
        fail(f"there is no alarm {name!r}: there are {', '.join(one.name for one in found)}")
    word, style = _STATES[alarm.state]
    out.print(Text.assemble((alarm.name, "bold"), "  ", (word, style), f", since {ago(alarm.since)}"))
    out.print(alarm.says)
    if " " in alarm.reason:
        out.print(Text(alarm.reason, style="dim"))
    out.print(Markdown(section(alarm.section, stage)))


def section(name: str, stage: str = "") -> str:
    """The manual's own words about an alarm, its commands as they are typed for a stage."""
    text = (ROOT / MANUAL).read_text()
    found = re.search(rf"^### {re.escape(name)}\n(.*?)(?=^##|\Z)", text, re.DOTALL | re.MULTILINE)
    told = found.group(1).strip() if found else f"{MANUAL} has no section {name}"
    aimed = rf"\1 --stage {stage}" if stage else r"\1"
    return re.sub(r"^(\./vigil [^#\n]*[^#\s])", aimed, told, flags=re.MULTILINE)


def _alarm(told: dict[str, Any], prefix: str) -> Alarm | None:
    says, _, place = str(told.get("AlarmDescription", "")).partition(f" {MANUAL}#")
    if not told["ActionsEnabled"]:
        return None
    return Alarm(
        name=told["AlarmName"].removeprefix(prefix),
        state=told["StateValue"],
        since=told.get("StateUpdatedTimestamp") or datetime.now(UTC),
        says=says.rstrip("."),
        section=place,
        reason=str(told.get("StateReason") or ""),
    )
