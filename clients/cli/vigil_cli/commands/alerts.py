"""`vigil alerts`, `vigil review`, `vigil ops rules`: alerts, decisions about them, and their rules."""

from itertools import islice
from pathlib import Path
from typing import Annotated

from vigil_cli.command_line import Argument, Option
from vigil_cli.console import coloured, days_ago, format_time, new_table, print_json
from vigil_cli.session import DaysOption, LimitOption, Session, name_lookup
from vigil_client.client import ReviewDecision


def alerts(
    session: Session,
    days: DaysOption = 7,
    limit: LimitOption = 50,
    only_open: Annotated[bool, Option(help="Only alerts that need a decision.", flags=("--open",))] = False,
) -> None:
    """List the alerts that rules raised, newest first.

    Example: ./vigil alerts --days 1 --open
    """
    table = new_table("Alerts", "time", "severity", "rule", "subject", "source", ">drops", "review", "alert")
    with session.api("reviewer") as api:
        pages = api.list_alerts(since=days_ago(days), review="open" if only_open else None)
        rows, name_of = list(islice(pages, limit)), name_lookup(api)
        for row in () if session.as_json else rows:
            severity, subject = coloured(row["severity"]), name_of(row["subject"])
            last = (row["source"], str(row["drop_count"]), row["review"], row["id"])
            table.add_row(format_time(row["at"]), severity, row["rule"], subject, *last)
    session.show(rows, lambda: table if rows else f"no alerts in the last {days} days")


def review(
    session: Session,
    alert: Annotated[str, Argument(metavar="ALERT", help="Id of the alert, from `./vigil alerts`.")],
    decision: Annotated[ReviewDecision, Argument(help="The decision.")],
) -> None:
    """Record a decision about an alert.

    Example: ./vigil review 5f1c0d3a9b2e4f60817263544d5e6f70 dismiss
    """
    with session.api("reviewer") as api:
        result = api.review_alert(alert, decision)
    counts = f"{result['review_count']} of {result['required_reviewers']} reviewers"
    session.show([result], lambda: f"{result['review']}: {counts}")


def rules(
    session: Session,
    file: Annotated[Path | None, Argument(help="A rules file to activate.", exists=True)] = None,
    dry_run: Annotated[
        bool, Option(help="Count its alerts of the last 24 hours; activate nothing.", flags=("--dry-run",))
    ] = False,
) -> None:
    """Print the active rules file (sources, hours, rules), or check another one and activate it.

    Example: ./vigil ops rules rules.toml
    """
    with session.api("operator") as api:
        if file is None:
            active = api.get_rules()
            print_json([active]) if session.as_json else print(active["toml"], end="")
        elif dry_run:
            result = api.dry_run_rules(file.read_text("utf-8"))
            title = f"Dry run on {result['sightings']} sightings"
            table = new_table(title, "rule", ">sightings", ">alerts", ">alerts now")
            for row in result["rules"]:
                counts = (row["sightings"], row["alerts"], row["current_alerts"])
                table.add_row(row["rule"], *map(str, counts))
            session.show([result], lambda: table)
        else:
            active = api.replace_rules(file.read_text("utf-8"))
            summary = f"{len(active['rules'])} rules, version {active['version']}"
            session.show([active], lambda: f"[green]active[/] within seconds: {summary}")
