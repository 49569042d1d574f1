"""How the command line speaks: one console for results, one for everything about them."""

import sys
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import NoReturn

import typer
from rich.console import Console
from rich.status import Status
from rich.table import Table

out = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
err = Console(stderr=True, highlight=False)


def fail(message: str) -> NoReturn:
    """Say what is wrong and the way out, and leave with exit code 2."""
    err.print(f"[bold red]vigil:[/] {message}", soft_wrap=True)
    raise typer.Exit(2)


def new_table(title: str, *columns: str) -> Table:
    """An empty table in the house style; a column that begins with > is for numbers."""
    table = Table(
        title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False
    )
    for column in columns:
        right = column.startswith(">")
        table.add_column(column.lstrip(">"), justify="right" if right else "left", overflow="fold")
    return table


def format_age(at: datetime) -> str:
    """How long ago, in the unit that a person would use."""
    seconds = max(0.0, (datetime.now(UTC) - at).total_seconds())
    for unit, least in (("d", 172_800), ("h", 7_200), ("min", 120)):
        if seconds >= least:
            return f"{seconds / {'d': 86_400, 'h': 3_600, 'min': 60}[unit]:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


# MERGED: Long work shown as it goes: a spinner with what is being done, a line for each step that is through.


class ProgressSteps:
    """Steps follow one another: beginning one ends the one before."""

    def __init__(self) -> None:
        self._status = Status("", console=err)
        self._step, self._since = "", 0.0

    def __enter__(self) -> "ProgressSteps":
        self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finish_step("[red]✗[/]" if error else "[green]✓[/]")
        self._status.stop()

    def begin(self, step: str) -> None:
        self._finish_step("[green]✓[/]")
        self._step, self._since = step, time.monotonic()
        self._status.update(f"{step} …")

    def detail(self, text: str) -> None:
        """What is being done within the step."""
        self._status.update(f"{self._step} … [dim]{text}[/]")

    def _finish_step(self, symbol: str) -> None:
        if self._step:
            err.print(f"{symbol} {self._step} [dim]{time.monotonic() - self._since:.1f} s[/]")
        self._step = ""
