"""`vigil alerts`, `vigil review`: alerts, and decisions about them."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import click
from rich.text import Text

from vigil.alerts.reviews import AlertState
from vigil_cli.command_line import Argument, Option
from vigil_cli.console import (
    SEVERITIES,
    WARN,
    Severity,
    coloured,
    days_ago,
    err,
    fail,
    format_time,
    new_table,
    parse_time,
)
from vigil_cli.lookup import SEARCHED_DAYS, find_alert, find_person
from vigil_cli.session import (
    MAX_FETCHED,
    SHOWN_DIGITS,
    DaysOption,
    LimitOption,
    Session,
    SinceOption,
    SourceOption,
    UntilOption,
    counted,
    fetch_rows,
    no_rows,
    picture_link,
    save_pictures,
)
from vigil_client import Conflict, Vigil
from vigil_client.client import ReviewDecision
from vigil_client.types import ReviewResult

SeverityOption = Annotated[Severity | None, Option(help="Only with this severity.")]
RuleOption = Annotated[str | None, Option(help="Only of this rule.")]
AboutOption = Annotated[str | None, Option(help="Only about this person: a name or an id.")]


def alerts(
    session: Session,
    days: DaysOption = 7,
    limit: LimitOption = 50,
    only_open: Annotated[bool, Option(help="Only alerts that need a decision.", flags=("--open",))] = False,
    state: Annotated[AlertState | None, Option(help="Only in this state of review.")] = None,
    severity: SeverityOption = None,
    rule: RuleOption = None,
    source: SourceOption = None,
    person: AboutOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    pictures: Annotated[Path | None, Option(help="Folder for a picture of each, named by its id.")] = None,
) -> None:
    """List the alerts that rules raised: critical ones first, then the newest.

    In a terminal that shows links, the id of an alert opens its picture for five minutes.

    Example: ./vigil alerts --open --severity critical --source door-3
    """
    review_state = "open" if only_open else state
    columns = ("time", "severity", "rule", "subject", "source", ">drops", "review", "alert")
    with session.api("reviewer") as api:
        filters = {"severity": severity, "rule": rule, "source": source, "until": until and parse_time(until)}
        filters |= {"person": person and find_person(api, person), "review": review_state}
        pages = api.list_alerts(since=parse_time(since) if since else days_ago(days), **filters)
        found, note = fetch_rows(pages, source)
        rows = sorted(found, key=lambda row: SEVERITIES.index(row["severity"]), reverse=True)[:limit]
        if pictures is not None:
            save_pictures(api, rows, pictures)
    table = new_table(counted("Alerts", len(rows), len(found), note), *columns)
    for row in rows:
        subject = str(row.get("subject_name") or _short_subject(row["subject"]))
        last: tuple[str | Text, ...] = (str(row["drop_count"]), row["review"], picture_link(row))
        first = (format_time(row["at"]), coloured(row["severity"]), row["rule"], subject, row["source"])
        table.add_row(*first, *last)
    session.show(rows, lambda: table if found else no_rows("alerts", days, note))


def _short_subject(subject: str) -> str:
    """An unknown subject with the digits that distinguish it: its id is that of its first sighting."""
    first, _, number = subject.removeprefix("unknown-").rpartition("-")
    return f"unknown {first[:6]}-{number}" if subject.startswith("unknown-") else subject


def review(
    session: Session,
    *,
    alerts: Annotated[
        list[str] | None, Argument(metavar="ALERT", help="Alerts: the first digits of their ids are enough.")
    ] = None,
    decision: Annotated[ReviewDecision, Argument(help="The decision.")],
    severity: SeverityOption = None,
    rule: RuleOption = None,
    source: SourceOption = None,
    person: AboutOption = None,
    yes: Annotated[bool, Option(help="Do not ask before all alerts of a filter are reviewed.")] = False,
) -> None:
    """Record a decision about alerts, or about all open alerts that a filter selects.

    The exit code is 1 if one could not be reviewed.

    Example: ./vigil review 5f1c0d3a 9b2e4f60 dismiss
    """
    with session.api("reviewer") as api:
        filters = {"severity": severity, "rule": rule, "source": source}
        filters |= {"person": person and find_person(api, person)}
        if bool(alerts) == any(filters.values()):
            fail("name the alerts, or select open ones with --rule, --severity, --source or --person")
        idents = [find_alert(api, one) for one in alerts or ()] or _select_open(api, filters)
        if not alerts and not yes and not click.confirm(f"{decision} {len(idents)} open alerts?", err=True):
            raise click.exceptions.Exit(1)
        results = [one for one in (_review_alert(api, ident, decision) for ident in idents) if one]
    lines = (
        f"{one['alert'][:SHOWN_DIGITS]} is {one['review']}: "
        f"{one['review_count']} of {one['required_reviewers']} reviewers"
        for one in results
    )
    session.show(results, lambda: "\n".join(lines))
    if len(results) < len(idents):
        raise click.exceptions.Exit(1)


def _select_open(api: Vigil, filters: Mapping[str, Any]) -> list[str]:
    rows = islice(api.list_alerts(review="open", since=days_ago(SEARCHED_DAYS), **filters), MAX_FETCHED)
    return [row["id"] for row in rows]


def _review_alert(api: Vigil, alert: str, decision: ReviewDecision) -> ReviewResult | None:
    """None, after the reason was printed, if the alert cannot be reviewed."""
    try:
        return api.review_alert(alert, decision)
    except Conflict as problem:
        err.print(Text.assemble(("not reviewed ", WARN), f"{alert[:SHOWN_DIGITS]}: {problem.detail}"))
        return None
