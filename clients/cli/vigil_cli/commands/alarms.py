"""`vigil ops alarms`: the alarms that notify operators, and what the run-book says about each."""

import re
from collections.abc import Sequence
from typing import Annotated

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.markdown import Markdown
from rich.text import Text

from vigil_cli.command_line import Argument
from vigil_cli.console import BAD, DIM, GOOD, fail, format_age, new_table, plain, styled, visible
from vigil_cli.paths import ROOT
from vigil_cli.session import Session
from vigil_client.types import AlarmOut

RUNBOOK = "docs/operations.md"
STATES = {"ALARM": ("firing", BAD), "OK": ("ok", GOOD), "INSUFFICIENT_DATA": ("without data", DIM)}
"""State in CloudWatch -> its label and style."""


def alarms(
    session: Session,
    name: Annotated[str, Argument(help="An alarm, to print its section of the run-book.")] = "",
) -> None:
    """List the alarms that notify operators; with a name, print its section of the run-book.

    Example: ./vigil ops alarms live-dead-letters
    """
    with session.api("operator") as api:
        rows = api.list_alarms()
    if name:
        selected = [row for row in rows if row["name"] == name.removeprefix("vigil-")]
        if not selected:
            fail(f"there is no alarm {name!r}: there are {', '.join(row['name'] for row in rows)}")
        session.show(selected, lambda: _alarm_view(selected[0], session.stage))
        return
    session.show(rows, lambda: _list_view(rows))


def firing_table(rows: Sequence[AlarmOut]) -> RenderableType:
    """The alarms in the state ALARM."""
    table = new_table("Firing alarms", "alarm", "since", "meaning")
    for row in rows:
        if row["state"] == "ALARM":
            table.add_row(plain(row["name"], BAD), format_age(row.get("since")), row["description"])
    return table if table.row_count else Text("no alarm is firing", style=GOOD)


def _list_view(rows: Sequence[AlarmOut]) -> RenderableType:
    parts: list[RenderableType] = [firing_table(rows)]
    for state in ("OK", "INSUFFICIENT_DATA"):
        names = [plain(row["name"], DIM) for row in rows if row["state"] == state]
        if names:
            parts += [f"\n{STATES[state][0]}:", Columns(names, padding=(0, 3), column_first=True)]
    return Group(*parts, styled("\nMeaning and action of an alarm: [bold]./vigil ops alarms NAME[/]"))


def _alarm_view(row: AlarmOut, stage: str) -> RenderableType:
    state = Text.assemble((visible(row["name"]), "bold"), "  ", STATES[row["state"]])
    if since := row.get("since"):
        state.append(f", since {format_age(since)}")
    section = row.get("runbook", "").partition("#")[2]
    reason = plain(row.get("reason", ""), DIM)
    return Group(state, row["description"], reason, Markdown(runbook_section(section, stage)))


def runbook_section(name: str, stage: str = "") -> str:
    """The section of the run-book about an alarm; with a stage, its commands have --stage."""
    text = (ROOT / RUNBOOK).read_text()
    match = re.search(rf"^### {re.escape(name)}\n(.*?)(?=^##|\Z)", text, re.DOTALL | re.MULTILINE)
    section = match.group(1).strip() if match else f"{RUNBOOK} has no section {name!r}"
    with_stage = rf"\1 --stage {stage}" if stage else r"\1"
    return re.sub(r"^(\./vigil [^#\n]*[^#\s])", with_stage, section, flags=re.MULTILINE)
