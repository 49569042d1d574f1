"""`vigil triage`: dead letters looked after now, instead of at the next tick."""

import shlex
import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.progress import (
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from cloud.dynamodb.maintenance_state import load_reconcile_progress
from cloud.dynamodb.state import DynamoStateStore
from cloud.sqs import SqsQueue
from vigil_cli.console import err, fail, new_table, out
from vigil_cli.deployment import (
    DataOption,
    Deployment,
    StageOption,
    connect,
    invoke_function,
    run_scheduled,
)
from vigil_cli.paths import DATA
from vigil_cli.tables import coloured

ACTION_LABELS = {
    "redriven": ("sent back", "done"),
    "quarantined": ("quarantined", "quarantined"),
    "discarded": ("put away", "done"),
    "waiting": ("waits", "warning"),
    "new_faults": ("new fault", "critical"),
}
"""Each deed of triage as a person says it, and the state whose colour it has."""


def triage(stage: StageOption = "", data: DataOption = DATA) -> None:
    """Look after the dead letters now: what was done with how many, and why.

    Example: ./vigil triage
    """
    report = run_scheduled(connect(stage, data), "Triage")
    table = new_table("Triage", "done", ">letters", "why")
    for reason, count in report["reasons"].items():
        action, _, detail = reason.partition(": ")
        label, colour = ACTION_LABELS[action]
        table.add_row(coloured(label, colour), str(count), detail)
    out.print(table if report["reasons"] else "no dead letters")
    if report["republished"]:
        out.print(f"told again: the outcomes of {report['republished']} gaps")


# MERGED: `vigil reconcile`: the bucket held against the ledger now, instead of at the next tick.


def reconcile(stage: StageOption = "", data: DataOption = DATA) -> None:
    """Announce every object that has no end again, unless it was of late; exit code 1 while there are any.

    What comes out is how complete the ledger is: objects that have their end, of all objects.

    Example: ./vigil reconcile
    """
    cloud = connect(stage, data)
    result = run_scheduled(cloud, "Reconcile")
    announced = result["announced"]
    while result["cursor"]:
        result = run_scheduled(cloud, "Reconcile")
        announced += result["announced"]
    completeness = load_reconcile_progress(
        DynamoStateStore(cloud.client("dynamodb"), cloud.outputs["RecordsTable"])
    ).last_complete
    if completeness is None:
        fail("the walk did not come to the bucket's end; see `./vigil logs reconcile`")
    out.print(
        f"complete {completeness.ratio:.2%}: {completeness.completed} of {completeness.objects} objects "
        f"have an end; {announced} announced again, {completeness.too_recent} too young to be judged"
    )
    if completeness.completed < completeness.objects:
        raise typer.Exit(1)


# MERGED: `vigil backfill MODEL`: all that lies in the bucket shown to a model, part by part.

POLL_S = 5.0


def backfill(
    model: Annotated[str, typer.Argument(help="The model that is to look; what it has seen is passed over.")],
    cursor: Annotated[str, typer.Option(help="Where to go on, as a run that was stopped has told.")] = "",
    ahead: Annotated[
        int, typer.Option(help="Wait while so many messages are in the bulk lane's queue.", min=1)
    ] = 10_000,
    stage: StageOption = "",
    data: DataOption = DATA,
) -> None:
    """Show an old bucket to a model, through the bulk lane; Ctrl-C stops it and tells how to go on.

    Example: ./vigil backfill faces --ahead 2000
    """
    cloud = connect(stage, data)
    announced, position = 0, cursor
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    try:
        with Progress(*columns, console=err, transient=True) as progress:
            task = progress.add_task("back-fill begins")
            for part in _backfill_parts(cloud, model, cursor, ahead):
                announced, position = announced + part["announced"], part["cursor"]
                progress.update(task, description=f"{announced} announced, up to {_cursor_text(position)}")
    except KeyboardInterrupt:
        err.print(f"stopped after {announced}; go on with:")
        print(_resume_command(model, position, stage))
        raise typer.Exit(130) from None
    out.print(
        f"[green]shown[/] {announced} objects to {model}; the bulk lane works on them: `./vigil status`"
    )


def _backfill_parts(cloud: Deployment, model: str, cursor: str, max_queued: int) -> Iterator[dict[str, Any]]:
    """Each part's answer, as soon as the lane has room for the next."""
    queue = SqsQueue(cloud.client("sqs"), cloud.outputs["BulkQueueUrl"])
    while True:
        while queue.visible_messages() >= max_queued:
            time.sleep(POLL_S)
        part = invoke_function(cloud, "Backfill", {"model": model, "cursor": cursor})
        yield part
        cursor = part["cursor"]
        if not cursor:
            return


def _cursor_text(cursor: str) -> str:
    return cursor[:60] or "the end"


def _resume_command(model: str, cursor: str, stage: str) -> str:
    arguments = ["./vigil", "backfill", model, "--cursor", cursor, *(("--stage", stage) if stage else ())]
    return shlex.join(arguments)
