"""`vigil ops triage|reconcile|backfill|canary|pause|resume`: maintenance of a deployment by hand."""

import shlex
import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import click
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from vigil_cli.command_line import Argument, Option
from vigil_cli.console import coloured, err, fail, new_table, out, styled
from vigil_cli.paths import ROOT
from vigil_cli.session import LaneName, Session
from vigil_client import Vigil
from vigil_client.types import BackfillResult

ACTION_LABELS = {
    "redriven": ("redriven", "done"),
    "quarantined": ("quarantined", "quarantined"),
    "discarded": ("discarded", "done"),
    "waiting": ("waiting", "warning"),
    "new_faults": ("new fault", "critical"),
}
"""Action of triage -> its label, and the state whose colour it has."""

POLL_S = 5.0
RUN_POLL_S = 0.5
MAX_RUN_S = 180
"""How long a command waits for a run; a function runs for two minutes at most."""

QUEUE_RETENTION = {"live": "4 days", "bulk": "14 days"}
"""How long the queue of a lane keeps a message."""

LaneArgument = Annotated[LaneName, Argument(metavar="LANE", help="live or bulk.")]


def triage(session: Session) -> None:
    """Run triage of the dead letters now and show what was done with how many, and why.

    Example: ./vigil ops triage
    """
    with session.api("operator") as api:
        run = _wait_for_run("triage", api.start_triage, api.get_triage_run)
    report = run["report"]
    table = new_table("Triage", "action", ">dead letters", "reason")
    for reason, count in report["reasons"].items():
        action, _, detail = reason.partition(": ")
        label, state = ACTION_LABELS[action]
        table.add_row(coloured(label, state), str(count), detail)
    session.show([report], lambda: table if report["reasons"] else "no dead letters")
    if report["republished"] and not session.as_json:
        out.print(f"published again: the results of {report['republished']} failed batches")


def reconcile(session: Session) -> None:
    """Compare bucket and ledger now, and announce every object without a result again.

    The exit code is 1 while an object has no result.

    Example: ./vigil ops reconcile
    """
    announced, is_complete = 0, False
    with session.api("operator") as api:
        while not is_complete:
            result = _wait_for_run("reconcile", api.start_reconcile, api.get_reconcile_run)["report"]
            announced, is_complete = announced + result["reannounced"], not result["in_progress"]
    counts = result["completeness"]
    completed, objects = counts["completed"], counts["objects"]
    summary = (
        f"complete {completed / objects if objects else 1:.2%}: {completed} of {objects} objects "
        f"have a result; {announced} announced again, {counts['too_recent']} too recent to count"
    )
    session.show([{**counts, "announced": announced}], lambda: summary)
    if completed < objects:
        raise click.exceptions.Exit(1)


def _wait_for_run(task: str, start: Callable[[], str], get_run: Callable[[str], Any]) -> Any:
    """Start a run of a task and return it completed."""
    run_id, deadline_s = start(), time.monotonic() + MAX_RUN_S
    while (run := get_run(run_id))["state"] == "running":
        if time.monotonic() > deadline_s:
            fail(f"{task} has not ended after {MAX_RUN_S} s; see `./vigil logs {task}`")
        time.sleep(RUN_POLL_S)
    if run["state"] == "failed":
        fail(f"{task} failed: {run['error']}; see `./vigil logs {task}`")
    return run


def canary(session: Session) -> None:
    """Drop the canary's known photograph now and check that its one face is found; exit code 1 if not.

    Example: ./vigil ops canary
    """
    with session.api("operator") as api:
        try:
            drop = api.drop_photo(ROOT / "functions" / "canary.jpg", source="canary-check")
        except TimeoutError as error:
            fail(f"{error}; see `./vigil status`")
    passed = drop["state"] == "done" and drop.get("found") == 1
    summary = f"drop {drop['id']} is {drop['state']}, {drop.get('found', 0)} faces found"
    session.show(
        [drop], lambda: styled(f"{'[green]passed[/]' if passed else '[red]failed[/]'}: {{}}", summary)
    )
    if not passed:
        raise click.exceptions.Exit(1)


def backfill(
    session: Session,
    model: Annotated[str, Argument(help="The model; objects that it has already processed are skipped.")],
    cursor: Annotated[str, Option(help="Where to continue, printed by an interrupted run.")] = "",
    max_queued: Annotated[
        int, Option(help="Pause while the bulk lane's queue holds this many messages.", min=1)
    ] = 10_000,
) -> None:
    """Send the stored objects to a model through the bulk lane; Ctrl-C prints the command that continues.

    Example: ./vigil ops backfill faces --max-queued 2000
    """
    announced, position = 0, cursor
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    try:
        with (
            session.api("operator") as api,
            Progress(*columns, console=err, transient=True) as progress,
        ):
            task = progress.add_task("starting")
            for part in _backfill_parts(api, model, cursor, max_queued):
                announced, position = announced + part["announced"], part["cursor"]
                progress.update(task, description=f"{announced} objects announced")
    except KeyboardInterrupt:
        err.print(f"stopped after {announced} objects; continue with:")
        print(_resume_command(model, position, session.stage))
        raise click.exceptions.Exit(130) from None
    summary = f"{announced} objects to {model}; `./vigil status` shows the bulk lane"
    session.show(
        [{"model": model, "announced": announced}], lambda: styled("[green]announced[/] {}", summary)
    )


def _backfill_parts(api: Vigil, model: str, cursor: str, max_queued: int) -> Iterator[BackfillResult]:
    """The result of each part; a part starts when the lane has room for it."""
    while True:
        while _bulk_messages(api) >= max_queued:
            time.sleep(POLL_S)
        part = api.backfill(model, cursor=cursor)
        yield part
        cursor = part["cursor"]
        if not cursor:
            return


def _bulk_messages(api: Vigil) -> int:
    return next(one["visible_messages"] for one in api.get_status()["lanes"] if one["lane"] == "bulk")


def _resume_command(model: str, cursor: str, stage: str) -> str:
    options = (*(("--cursor", cursor) if cursor else ()), *(("--stage", stage) if stage else ()))
    return shlex.join(["./vigil", "ops", "backfill", model, *options])


def pause(session: Session, lane: LaneArgument) -> None:
    """Stop a lane until somebody resumes it; its messages wait in the queue.

    Example: ./vigil ops pause bulk
    """
    with session.api("admin") as api:
        api.pause_lane(lane)
    text = (
        f"its queue keeps messages for {QUEUE_RETENTION[lane]}, after that "
        f"reconcile announces the objects again. Continue with `./vigil ops resume {lane}`"
    )
    session.show([{"lane": lane, "paused": True}], lambda: styled("[yellow]{} is paused[/]; {}", lane, text))


def resume(session: Session, lane: LaneArgument) -> None:
    """Resume a paused lane; while a circuit breaker is open, the controller stops it again within a minute.

    Example: ./vigil ops resume bulk
    """
    with session.api("admin") as api:
        api.resume_lane(lane)
    session.show([{"lane": lane, "paused": False}], lambda: styled("[green]{} runs[/]", lane))
