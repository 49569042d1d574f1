"""Long work shown as it goes: a spinner with what is being done, a line for each step that is through."""

import time
from types import TracebackType

from rich.status import Status

from infra.cli.saying import err


class Steps:
    """Steps follow one another: beginning one ends the one before."""

    def __init__(self) -> None:
        self._status = Status("", console=err)
        self._step, self._since = "", 0.0

    def __enter__(self) -> "Steps":
        self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end("[red]✗[/]" if error else "[green]✓[/]")
        self._status.stop()

    def begin(self, step: str) -> None:
        self._end("[green]✓[/]")
        self._step, self._since = step, time.monotonic()
        self._status.update(f"{step} …")

    def detail(self, text: str) -> None:
        """What is being done within the step."""
        self._status.update(f"{self._step} … [dim]{text}[/]")

    def _end(self, mark: str) -> None:
        if self._step:
            err.print(f"{mark} {self._step} [dim]{time.monotonic() - self._since:.1f} s[/]")
        self._step = ""
