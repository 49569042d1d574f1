"""`vigil logs`: what the local cloud's functions wrote, invocation by invocation."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli.deployment import Data
from infra.cli.places import DATA
from infra.cli.saying import fail, out


def logs(
    function: Annotated[str, typer.Argument(help="A function's name, or the end of it: live.")] = "",
    request: Annotated[str, typer.Option(help="Only the invocation with this request id.")] = "",
    lines: Annotated[
        int, typer.Option("--lines", "-n", help="How many lines at most, the newest.", min=1)
    ] = 100,
    data: Data = DATA,
) -> None:
    """Show the newest log lines of the local cloud's functions."""
    folder = data / "logs"
    files = sorted(file for file in folder.glob("*.log") if _named(file, function))
    if not files:
        known = ", ".join(sorted(file.stem for file in folder.glob("*.log"))) or "none yet"
        fail(f"no log of a function named {function or 'anything'}; there are: {known}")
    for file in files:
        text = file.read_text(errors="replace").splitlines()
        chosen = [line for line in text if request in line] if request else text
        out.rule(file.stem, align="left")
        for line in chosen[-lines:]:
            print(line)


def _named(file: Path, function: str) -> bool:
    return not function or file.stem == function or file.stem.endswith(f"-{function}")
