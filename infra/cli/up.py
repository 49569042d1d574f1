"""`vigil up`: the local cloud in the foreground, until Ctrl-C."""

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.places import DATA, PACKAGE
from infra.cli.saying import err, fail, out, table
from infra.cli.steps import Steps
from infra.local.cloud import Cloud
from infra.local.errors import CannotStart
from infra.package import package


def up(
    data: Annotated[Path, typer.Option(help="Folder for the cloud's state and logs.")] = DATA,
    processes: Annotated[int, typer.Option(help="Worker processes at most.", min=1)] = 4,
) -> None:
    """Run the packaged system on this machine until Ctrl-C; what it holds it finds again the next time.

    Example: ./vigil up --processes 2
    """
    steps = Steps()
    with steps:
        steps.begin("packaging")
        package("local", on_progress=steps.detail)
    state = data / "state.sqlite"
    cloud = Cloud(
        package=PACKAGE,
        data=data,
        state=state,
        processes=processes,
        parameters={"TrainerImage": "on-this-machine"},
        on_progress=err.print,
    )
    try:
        with cloud:
            _tell(cloud, data)
            _until_interrupted()
            err.print("stopping …")
    except CannotStart as error:
        fail(str(error))


def _tell(cloud: Cloud, data: Path) -> None:
    made = table("Vigil is up", "", "")
    for name, value in sorted(cloud.outputs.items()):
        made.add_row(name, str(value))
    out.print(made)
    where = "" if data == DATA else f" --data {data}"
    out.print(f"\nIn another terminal: [bold]./vigil drop{where} PHOTO[/] and [bold]./vigil --help[/]")


def _until_interrupted() -> None:
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    done.wait()
