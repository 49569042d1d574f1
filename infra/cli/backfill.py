"""`vigil backfill MODEL`: all that lies in the bucket shown to a model, part by part."""

import shlex
import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cloud.queue import Queue
from infra.cli.deployment import Data, Deployment, Stage, reached
from infra.cli.places import DATA
from infra.cli.running import ask
from infra.cli.saying import err, out

LOOK_AGAIN_S = 5.0


def backfill(
    model: Annotated[str, typer.Argument(help="The model that is to look; what it has seen is passed over.")],
    cursor: Annotated[str, typer.Option(help="Where to go on, as a run that was stopped has told.")] = "",
    ahead: Annotated[
        int, typer.Option(help="Wait while so many messages are in the bulk lane's queue.", min=1)
    ] = 10_000,
    stage: Stage = "",
    data: Data = DATA,
) -> None:
    """Show an old bucket to a model, through the bulk lane; Ctrl-C stops it and tells how to go on.

    Example: ./vigil backfill faces --ahead 2000
    """
    cloud = reached(stage, data)
    announced, here = 0, cursor
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    try:
        with Progress(*columns, console=err, transient=True) as progress:
            task = progress.add_task("back-fill begins")
            for told in _parts(cloud, model, cursor, ahead):
                announced, here = announced + told["announced"], told["cursor"]
                progress.update(task, description=f"{announced} announced, up to {_place(here)}")
    except KeyboardInterrupt:
        err.print(f"stopped after {announced}; go on with:")
        print(_again(model, here, stage))
        raise typer.Exit(130) from None
    out.print(
        f"[green]shown[/] {announced} objects to {model}; the bulk lane works on them: `./vigil status`"
    )


def _parts(cloud: Deployment, model: str, cursor: str, ahead: int) -> Iterator[dict[str, Any]]:
    """Each part's answer, as soon as the lane has room for the next."""
    queue = Queue(cloud.client("sqs"), cloud.outputs["BulkQueueUrl"])
    while True:
        while queue.waiting() >= ahead:
            time.sleep(LOOK_AGAIN_S)
        told = ask(cloud, "Backfill", {"model": model, "cursor": cursor})
        yield told
        cursor = told["cursor"]
        if not cursor:
            return


def _place(cursor: str) -> str:
    return cursor[:60] or "the end"


def _again(model: str, cursor: str, stage: str) -> str:
    words = ["./vigil", "backfill", model, "--cursor", cursor, *(("--stage", stage) if stage else ())]
    return shlex.join(words)
