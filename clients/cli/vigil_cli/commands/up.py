"""`vigil up`: the local cloud in the foreground, until Ctrl-C."""

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from infra.local import issuer
from infra.local.cloud import Cloud
from infra.local.errors import StartupFailed
from infra.package import package
from vigil.access.roles import ROLES
from vigil_cli.console import (
    ProgressSteps,
    err,
    fail,
    new_table,
    out,
)
from vigil_cli.deployment import DataOption
from vigil_cli.paths import DATA, PACKAGE


def up(
    data: Annotated[Path, typer.Option(help="Folder for the cloud's state and logs.")] = DATA,
    processes: Annotated[int, typer.Option(help="Worker processes at most.", min=1)] = 4,
) -> None:
    """Run the packaged system on this machine until Ctrl-C; what it holds it finds again the next time.

    Example: ./vigil up --processes 2
    """
    steps = ProgressSteps()
    with steps:
        steps.begin("packaging")
        package("local", on_progress=steps.detail)
    state = data / "state.sqlite"
    cloud = Cloud(
        package=PACKAGE,
        data=data,
        state_file=state,
        max_workers=processes,
        parameters={"TrainerImage": "on-this-machine"},
        on_progress=err.print,
    )
    try:
        with cloud:
            _print_outputs(cloud, data)
            _wait_for_interrupt()
            err.print("stopping …")
    except StartupFailed as error:
        fail(str(error))


def _print_outputs(cloud: Cloud, data: Path) -> None:
    table = new_table("Vigil is up", "", "")
    for name, value in sorted(cloud.outputs.items()):
        table.add_row(name, str(value))
    out.print(table)
    data_option = "" if data == DATA else f" --data {data}"
    out.print(f"\nIn another terminal: [bold]./vigil drop{data_option} PHOTO[/] and [bold]./vigil --help[/]")


def _wait_for_interrupt() -> None:
    interrupted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: interrupted.set())
    interrupted.wait()


# MERGED: `vigil token`: a bearer token for the local cloud's API.


def token(
    role: Annotated[str, typer.Option(help="viewer, reviewer, operator or admin.")] = "viewer",
    source: Annotated[
        list[str] | None, typer.Option("--source", help="Only what comes from it, or from door-*; repeat it.")
    ] = None,
    subject: Annotated[str, typer.Option(help="Who it is; without one, named after the role.")] = "",
    hours: Annotated[float, typer.Option(help="How long it is good.", min=0.001)] = 8.0,
    data: DataOption = DATA,
) -> None:
    """Print a token that the local cloud's API takes; on AWS, your identity provider makes them.

    Example: curl -H "Authorization: Bearer $(./vigil token --role reviewer)" $VIGIL_URL/v1/alerts
    """
    if role not in ROLES:
        fail(f"there is no role {role!r}: it is {', '.join(ROLES)}")
    try:
        issuer_key = issuer.load_issuer(data)
    except FileNotFoundError:
        fail("no local cloud is up: start one with `./vigil up`")
    print(
        issuer_key.issue_token(
            role, subject=subject or f"local-{role}", sources=source or (), lifetime_s=hours * 3600
        )
    )
