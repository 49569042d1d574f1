"""`vigil ops rules`: the rules in force, their check, their dry run, and their history."""

import sys
from difflib import unified_diff
from pathlib import Path
from typing import Annotated

import click

from vigil.alerts.rules import InvalidRules, read_rules
from vigil_cli.command_line import Argument, Option
from vigil_cli.console import err, fail, format_time, new_table, print_json, styled
from vigil_cli.session import Session
from vigil_client import Vigil
from vigil_client.types import DryRunResult


def rules(
    session: Session,
    file: Annotated[
        Path | None, Argument(help="A rules file to put into force.", exists=True, dir_okay=False)
    ] = None,
    dry_run: Annotated[
        bool, Option(help="Count its alerts of the last 24 hours; change nothing.", flags=("--dry-run",))
    ] = False,
    history: Annotated[bool, Option(help="List the versions that were in force.")] = False,
    restore: Annotated[str, Option(help="Put a version of --history into force again.")] = "",
    yes: Annotated[bool, Option(help="Do not ask.")] = False,
) -> None:
    """Print the rules in force, or check other rules, show what they change and put them into force.

    docs/rules.md describes the format.

    Example: ./vigil ops rules rules.toml --dry-run
    """
    with session.api("operator") as api:
        if history:
            _show_history(session, api)
        elif restore:
            _put_into_force(session, api, _find_version(api, restore), yes=yes)
        elif file is None:
            active = api.get_rules()
            print_json([active]) if session.as_json else print(active["toml"], end="")
        elif dry_run:
            _show_dry_run(session, api.dry_run_rules(_read_rules_file(file)))
        else:
            _put_into_force(session, api, _read_rules_file(file), yes=yes)


def _read_rules_file(file: Path) -> str:
    """The text of a file whose rules are valid; else the command fails with line, key and what is right."""
    if file.is_dir():
        fail(f"{file} is a folder; name a rules file")
    data = file.read_bytes()
    try:
        read_rules(str(file), data)
    except InvalidRules as error:
        fail(str(error))
    return data.decode("utf-8-sig")


def _put_into_force(session: Session, api: Vigil, text: str, *, yes: bool) -> None:
    current = api.get_rules()
    diff = [*unified_diff(current["toml"].splitlines(), text.splitlines(), "in force", "new", lineterm="")]
    if not diff:
        session.show([current], lambda: f"version {current['version']} is in force already")
        return
    if not yes:
        err.print("\n".join(diff))
        if not sys.stdin.isatty():
            fail("add --yes to put these rules into force without a question")
        click.confirm("Put these rules into force?", abort=True, err=True)
    active = api.replace_rules(text, version=current["version"])
    summary = f"{len(active['rules'])} rules, version {active['version']}; before {current['version']}"
    session.show([active], lambda: styled("[green]active[/] within seconds: {}", summary))


def _find_version(api: Vigil, version: str) -> str:
    found = [one for one in api.list_rules_history(limit=50) if one["version"].startswith(version)]
    if not found:
        fail(f"no version {version}: see `./vigil ops rules --history`")
    return found[0]["toml"]


def _show_history(session: Session, api: Vigil) -> None:
    entries = api.list_rules_history(limit=50)
    table = new_table("Rules that were put into force", "time", "version", "by", ">lines")
    for one in entries:
        lines = str(len(one["toml"].splitlines()))
        table.add_row(format_time(one["at"]), one["version"], one["caller"], lines)
    session.show(
        entries, lambda: table if entries else "no rules were stored; the default rules are in force"
    )


def _show_dry_run(session: Session, result: DryRunResult) -> None:
    title = f"Dry run on {result['sightings']} sightings" + (
        "" if result["complete"] else ", the newest ones"
    )
    table = new_table(title, "rule", ">sightings", ">alerts", ">alerts now")
    for row in result["rules"]:
        least, most = row["alerts"], row["max_alerts"]
        counts = (row["sightings"], least if least == most else f"{least} to {most}", row["current_alerts"])
        table.add_row(row["rule"], *map(str, counts))
    session.show([result], lambda: table)
