"""`vigil logs`: what functions wrote, here and on AWS."""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import ClientError

from vigil_cli.console import fail, out
from vigil_cli.deployment import DataOption, StageOption, connect
from vigil_cli.paths import DATA


def logs(
    function: Annotated[str, typer.Argument(help="A function's name, or the end of it: live.")] = "",
    request: Annotated[str, typer.Option(help="Only the invocation with this request id.")] = "",
    lines: Annotated[
        int, typer.Option("--lines", "-n", help="How many lines at most, the newest.", min=1)
    ] = 100,
    minutes: Annotated[int, typer.Option(help="On AWS: how far to look back.", min=1)] = 60,
    stage: StageOption = "",
    data: DataOption = DATA,
) -> None:
    """Show the newest lines that a function wrote; on this machine, without a name, those of all.

    Example: ./vigil logs triage -n 20
    """
    if stage and not function:
        fail("name a function: its log on AWS is a group of its own, as /aws/lambda/vigil-prod-live")
    if stage:
        newest = deque(_cloudwatch_lines(stage, function, request, minutes), maxlen=lines)
        print("\n".join(newest) if newest else f"nothing in the last {minutes} minutes")
        return
    for file in _log_files(data / "logs", function):
        text = file.read_text(errors="replace").splitlines()
        matching = [line for line in text if request in line] if request else text
        out.rule(file.stem, align="left")
        for line in matching[-lines:]:
            print(line)


def _cloudwatch_lines(stage: str, function: str, request: str, minutes: int) -> Iterator[str]:
    """Lines of a function's log group, oldest first."""
    group = f"/aws/lambda/vigil-{stage}-{function.removeprefix(f'vigil-{stage}-')}"
    since = int((datetime.now(UTC) - timedelta(minutes=minutes)).timestamp() * 1000)
    filters = {"filterPattern": f'"{request}"'} if request else {}
    pages = connect(stage).client("logs").get_paginator("filter_log_events")
    try:
        for page in pages.paginate(logGroupName=group, startTime=since, **filters):
            yield from (str(event["message"]).rstrip("\n") for event in page["events"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        fail(f"there is no log group {group}")


def _log_files(folder: Path, function: str) -> list[Path]:
    available = sorted(folder.glob("*.log"))
    matching = [
        file for file in available if not function or file.stem == function or _is_log_of(file, function)
    ]
    if not matching:
        known = ", ".join(file.stem for file in available) or "none yet"
        fail(f"no log of a function named {function or 'anything'}; there are: {known}")
    return matching


def _is_log_of(file: Path, function: str) -> bool:
    return file.stem.endswith(f"-{function}")
