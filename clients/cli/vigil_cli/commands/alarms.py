"""`vigil alarms`: those that wake people, in which state they are, and what the manual says to do."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from rich.columns import Columns
from rich.markdown import Markdown
from rich.text import Text

from vigil_cli.command_line import Argument
from vigil_cli.console import (
    fail,
    format_age,
    new_table,
    out,
)
from vigil_cli.deployment import Deployment
from vigil_cli.paths import ROOT
from vigil_cli.session import Session

RUNBOOK = "docs/operations.md"
_ALARM_TYPES = ("MetricAlarm", "CompositeAlarm")
BAD = "bold red"
_STATE_LABELS = {
    "ALARM": ("rings", BAD),
    "OK": ("quiet", "green"),
    "INSUFFICIENT_DATA": ("without data", "dim"),
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm that tells somebody; `section` is its place in the manual."""

    name: str
    state: str
    since: datetime
    description: str
    section: str
    reason: str

    @property
    def is_firing(self) -> bool:
        return self.state == "ALARM"


def list_alarms(cloud: Deployment) -> Sequence[Alarm]:
    """Every alarm that acts when it goes off, those that have gone off first."""
    prefix = str(cloud.outputs["RecordsTable"]).removesuffix("records")
    cloudwatch = cloud.client("cloudwatch").get_paginator("describe_alarms")
    pages = list(cloudwatch.paginate(AlarmNamePrefix=prefix, AlarmTypes=list(_ALARM_TYPES)))
    parsed = [
        _parse_alarm(one, prefix)
        for page in pages
        for kind in _ALARM_TYPES
        for one in page.get(f"{kind}s", ())
    ]
    return sorted((one for one in parsed if one), key=lambda one: (not one.is_firing, one.name))


def alarms(
    session: Session,
    name: Annotated[str, Argument(help="One of them: what it means and what to do.")] = "",
) -> None:
    """List the alarms that notify operators; with a name, print its section of the run-book.

    Example: ./vigil ops alarms live-dead-letters
    """
    every_alarm = list_alarms(session.deployment())
    if name:
        _print_alarm(every_alarm, name, session.stage)
        return
    table = new_table("Alarms that ring", "alarm", "since", "what it says")
    for alarm in every_alarm:
        if alarm.is_firing:
            table.add_row(Text(alarm.name, style=BAD), format_age(alarm.since), alarm.description)
    out.print(table if table.row_count else Text("no alarm rings", style="green"))
    for state, label in (("OK", "quiet"), ("INSUFFICIENT_DATA", "without data")):
        names = [alarm.name for alarm in every_alarm if alarm.state == state]
        if names:
            out.print(f"\n{label}:")
            out.print(Columns(names, padding=(0, 3), column_first=True), style="dim")
    out.print("\nWhat one means and what to do: [bold]./vigil ops alarms NAME[/]")


def _print_alarm(every_alarm: Sequence[Alarm], name: str, stage: str) -> None:
    alarm = next((one for one in every_alarm if one.name == name.removeprefix("vigil-")), None)
    if alarm is None:
        fail(f"there is no alarm {name!r}: there are {', '.join(one.name for one in every_alarm)}")
    label, style = _STATE_LABELS[alarm.state]
    out.print(Text.assemble((alarm.name, "bold"), "  ", (label, style), f", since {format_age(alarm.since)}"))
    out.print(alarm.description)
    if " " in alarm.reason:
        out.print(Text(alarm.reason, style="dim"))
    out.print(Markdown(runbook_section(alarm.section, stage)))


def runbook_section(name: str, stage: str = "") -> str:
    """The manual's own words about an alarm, its commands as they are typed for a stage."""
    text = (ROOT / RUNBOOK).read_text()
    match = re.search(rf"^### {re.escape(name)}\n(.*?)(?=^##|\Z)", text, re.DOTALL | re.MULTILINE)
    text_of_section = match.group(1).strip() if match else f"{RUNBOOK} has no section {name}"
    with_stage = rf"\1 --stage {stage}" if stage else r"\1"
    return re.sub(r"^(\./vigil [^#\n]*[^#\s])", with_stage, text_of_section, flags=re.MULTILINE)


def _parse_alarm(description: dict[str, Any], prefix: str) -> Alarm | None:
    summary, _, section = str(description.get("AlarmDescription", "")).partition(f" {RUNBOOK}#")
    if not description["ActionsEnabled"]:
        return None
    return Alarm(
        name=description["AlarmName"].removeprefix(prefix),
        state=description["StateValue"],
        since=description.get("StateUpdatedTimestamp") or datetime.now(UTC),
        description=summary.rstrip("."),
        section=section,
        reason=str(description.get("StateReason") or ""),
    )
