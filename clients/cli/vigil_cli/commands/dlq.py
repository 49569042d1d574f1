"""`vigil ops dlq`: dead letters listed, shown, redriven and quarantined by a person."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from rich.text import Text

from vigil_cli.command_line import Argument, Option
from vigil_cli.console import fail, format_age, new_table, styled
from vigil_cli.session import LANES, LaneName, Session
from vigil_client import NotFound, Vigil

MAX_PER_LANE = 50
"""The API lists this many dead letters of a lane at most."""

RETRY_S = 100.0
"""How long hidden dead letters are waited for: triage hides those that it reads for 90 seconds."""

MessageArgument = Annotated[
    str, Argument(metavar="MESSAGE", help="Id of a dead letter, or its first characters.")
]
SelectionArgument = Annotated[
    str, Argument(metavar="MESSAGE", help="Id of a dead letter, its first characters, or `all`.")
]
ReasonOption = Annotated[str, Option(help="The reason, saved as a note on each drop.")]
LimitOption = Annotated[
    int,
    Option(help="Dead letters of a lane at most.", min=1, max=MAX_PER_LANE, flags=("--limit", "-n")),
]


def list_dead_letters(session: Session, limit: LimitOption = 50) -> None:
    """List the dead letters with the failure of their drops.

    Example: ./vigil ops dlq list
    """
    with session.api("operator") as api:
        rows = _until_available(api, lambda: _dead_letters(api, limit))
    table = new_table("Dead letters", "message", "lane", "sent", ">redrives", "stage", "error", "drop")
    for row in rows:
        drop = row["drops"][0] if row["drops"] else {"drop": "", "error": "the message announces no drop"}
        first = (row["id"][:8], row["lane"], format_age(row["sent_at"]), str(row["redrives"]))
        error = drop.get("error", "no attempt is recorded")
        table.add_row(*first, drop.get("stage", ""), error, drop["drop"][:8])
    session.show(rows, lambda: table if rows else "no dead letters")


def show(session: Session, message: MessageArgument) -> None:
    """Show a dead letter with the record of each of its drops, as JSON.

    Example: ./vigil ops dlq show 8bba0e49
    """
    with session.api("operator") as api:
        found = _find(api, message)
        if len(found) > 1:
            fail(f"several dead letters begin with {message!r}: {', '.join(row['id'] for row in found)}")
        details = _until_available(api, lambda: _details(api, found[0]["lane"], found[0]["id"]))
    if not details:
        fail(f"the dead letter {found[0]['id']} is in use by triage: try again in a minute")
    session.show(details, lambda: Text(json.dumps(details[0], indent=2)))


def _details(api: Vigil, lane: LaneName, message: str) -> list[dict[str, Any]]:
    """The dead letter with its body; nothing while it is hidden."""
    try:
        return [{"lane": lane, **api.get_dead_letter(lane, message)}]
    except NotFound:
        return []


def redrive(session: Session, message: SelectionArgument, reason: ReasonOption = "redriven by hand") -> None:
    """Send a dead letter, or all of them, back to the queue of its lane.

    Example: ./vigil ops dlq redrive 8bba0e49 --reason "the key policy is fixed"
    """
    with session.api("operator") as api:
        processed = _process(api, api.redrive_dead_letters, _select(api, message), reason)
    session.show(
        [{"action": "redrive", "processed": processed}], lambda: styled("[green]redriven[/] {}", processed)
    )


def quarantine(session: Session, message: SelectionArgument, reason: ReasonOption) -> None:
    """Record the drops of a dead letter, or of all of them, as quarantined; they are never tried again.

    Example: ./vigil ops dlq quarantine 8bba0e49 --reason "a test by the camera vendor"
    """
    with session.api("operator") as api:
        processed = _process(api, api.quarantine_dead_letters, _select(api, message), reason)
    result = {"action": "quarantine", "processed": processed}
    session.show([result], lambda: styled("[yellow]quarantined[/] {}", processed))


def _process(
    api: Vigil, call: Callable[..., int], selected: Mapping[LaneName, list[str]], reason: str
) -> int:
    """Process the selected dead letters, again while some are hidden; returns how many."""
    expected = sum(map(len, selected.values())) or 1
    processed, deadline_s = 0, time.monotonic() + RETRY_S
    while True:
        processed += sum(call(lane, ids, reason=reason) for lane, ids in selected.items())
        if processed >= expected:
            return processed
        if time.monotonic() >= deadline_s or not _has_dead_letters(api):
            fail("no dead letter is available: none exists, or triage holds them; see `./vigil ops dlq list`")
        time.sleep(0.5)


def _select(api: Vigil, message: str) -> dict[LaneName, list[str]]:
    """Lane -> ids of the selected dead letters; no ids select all of the lane."""
    if message == "all":
        return {lane: [] for lane in LANES}
    rows = _find(api, message)
    return {
        lane: [row["id"] for row in rows if row["lane"] == lane] for lane in {row["lane"] for row in rows}
    }


def _find(api: Vigil, message: str) -> list[dict[str, Any]]:
    """The dead letters whose id begins so; exits with code 2 if there are none."""
    rows = _until_available(
        api, lambda: [row for row in _dead_letters(api, MAX_PER_LANE) if row["id"].startswith(message)]
    )
    if not rows:
        fail(f"no dead letter begins with {message!r}: see `./vigil ops dlq list`")
    return rows


def _dead_letters(api: Vigil, limit: int) -> list[dict[str, Any]]:
    """Dead letters of both lanes, oldest first."""
    rows = [{"lane": lane, **row} for lane in LANES for row in api.list_dead_letters(lane, limit=limit)]
    return sorted(rows, key=lambda row: str(row["sent_at"]))


def _until_available(api: Vigil, read: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Read again while there is no result and the queues have dead letters, or until the time is up."""
    deadline_s = time.monotonic() + RETRY_S
    while not (rows := read()) and time.monotonic() < deadline_s and _has_dead_letters(api):
        time.sleep(0.5)
    return rows


def _has_dead_letters(api: Vigil) -> bool:
    return any(lane["dead_letters"] for lane in api.get_status()["lanes"])
