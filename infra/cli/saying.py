"""How the command line speaks: one console for results, one for everything about them."""

import sys
from datetime import UTC, datetime
from typing import NoReturn

import typer
from rich.console import Console
from rich.table import Table

out = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
err = Console(stderr=True, highlight=False)


def fail(message: str) -> NoReturn:
    """Say what is wrong and the way out, and leave with exit code 2."""
    err.print(f"[bold red]vigil:[/] {message}", soft_wrap=True)
    raise typer.Exit(2)


def table(title: str, *columns: str) -> Table:
    """An empty table in the house style; a column that begins with > is for numbers."""
    made = Table(
        title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False
    )
    for column in columns:
        right = column.startswith(">")
        made.add_column(column.lstrip(">"), justify="right" if right else "left", overflow="fold")
    return made


def ago(then: datetime) -> str:
    """How long ago, in the unit that a person would use."""
    seconds = max(0.0, (datetime.now(UTC) - then).total_seconds())
    for unit, least in (("d", 172_800), ("h", 7_200), ("min", 120)):
        if seconds >= least:
            return f"{seconds / {'d': 86_400, 'h': 3_600, 'min': 60}[unit]:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"
