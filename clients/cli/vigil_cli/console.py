"""Output of the commands: results on stdout; errors and progress on stderr.

Each string is data unless it passes `styled`: it is printed verbatim, without markup, and with control
characters made visible, so that no name, key, rule or message changes the terminal or disappears.
"""

import json
import re
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Literal, NoReturn, get_args

import click
from rich.console import Console, RenderableType
from rich.status import Status
from rich.table import Table
from rich.text import Text

from vigil.text import INVISIBLE

INVISIBLE_CHARACTER = re.compile(f"[{INVISIBLE}\ud800-\udfff]")
ESCAPED_BYTES = range(0xDC80, 0xDD00)
"""How Python represents the bytes of a file name that are no UTF-8."""


def visible(text: str) -> str:
    """The text with control and other invisible characters as escape sequences, line breaks included."""
    return INVISIBLE_CHARACTER.sub(_escape_character, text)


def _escape_character(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code in ESCAPED_BYTES:
        return f"\\x{code - 0xDC00:02x}"
    return found.group().encode("unicode_escape").decode()


def plain(text: str, style: str = "") -> Text:
    """Data in a style."""
    return Text(visible(text), style)


PLACE = "\ufffc"
"""Stands for data in a template while its markup is read (U+FFFC, object replacement character)."""


def styled(template: str, *values: object) -> Text:
    """A template in Rich's markup, with data at each {}."""
    text, data = Text.from_markup(template.replace("{}", PLACE), emoji=False), iter(values)
    edges = [edge for place in re.finditer(PLACE, text.plain) for edge in place.span()]
    return Text().join(
        _filled(piece, next(data)) if piece.plain == PLACE else piece for piece in text.divide(edges)
    )


def _filled(place: Text, value: object) -> Text:
    text = plain(str(value))
    for span in place.spans:
        text.stylize(span.style)
    return text


class DataConsole(Console):
    """Prints strings as data; line breaks stay."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str("\n".join(map(visible, text.split("\n"))), **options)


class DataTable(Table):
    """A table whose cells of type str are data, line breaks included."""

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        super().add_row(*(plain(one) if isinstance(one, str) else one for one in cells), **options)


out = DataConsole(width=None if sys.stdout.isatty() else 120)
err = DataConsole(stderr=True)

GOOD, BAD, WARN, DIM = "green", "bold red", "yellow", "dim"
Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""Rising."""

STATE_STYLES = {
    "done": GOOD,
    "known": GOOD,
    "active": GOOD,
    "rejected": WARN,
    "refused": WARN,
    "ambiguous": WARN,
    "canary": WARN,
    "warning": WARN,
    "unfit": DIM,
    "unknown": "cyan",
    "quarantined": BAD,
    "rolled-back": BAD,
    "critical": BAD,
}


def fail(message: str) -> NoReturn:
    """Print what is wrong and what to do, and exit with code 2."""
    err.print(Text.assemble(("vigil: ", BAD), visible(message)), soft_wrap=True)
    raise click.exceptions.Exit(2)


def new_table(title: str, *columns: str) -> DataTable:
    """An empty table in the style of all commands; a column that begins with > is aligned to the right."""
    table = DataTable(
        title=visible(title), title_justify="left", title_style="bold", header_style="dim", box=None
    )
    table.pad_edge, table.show_header = False, any(columns)
    for column in columns:
        right = column.startswith(">")
        table.add_column(column.lstrip(">"), justify="right" if right else "left", overflow="fold")
    return table


def print_json(rows: Iterable[Mapping[str, Any]]) -> None:
    """One object a line, with control characters and bytes that are no UTF-8 as escape sequences."""
    for row in rows:
        text = json.dumps(row, ensure_ascii=False)
        print(INVISIBLE_CHARACTER.sub(lambda found: f"\\u{ord(found.group()):04x}", text))


def coloured(text: str, state: str = "") -> Text:
    """A text in the colour of its state, which is the text itself unless given."""
    return plain(text, STATE_STYLES.get(state or text, ""))


def format_number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def format_time(timestamp: str) -> str:
    """An ISO timestamp up to its seconds, in the local time zone and with its name."""
    return f"{datetime.fromisoformat(timestamp).astimezone():%Y-%m-%d %H:%M:%S %Z}"


def format_age(at: str | None) -> str:
    """The time since an ISO timestamp, in the largest unit that leaves at least two."""
    if at is None:
        return ""
    seconds = max(0.0, (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds())
    for unit, least in (("d", 172_800), ("h", 7_200), ("min", 120)):
        if seconds >= least:
            return f"{seconds / {'d': 86_400, 'h': 3_600, 'min': 60}[unit]:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def days_ago(days: int) -> str:
    """An ISO timestamp."""
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


def parse_time(text: str) -> str:
    """A date or time in ISO 8601, without an offset in the local zone, as an ISO timestamp with offset."""
    try:
        return datetime.fromisoformat(text).astimezone().isoformat()
    except ValueError:
        fail(f"{text} is no time: write 2026-01-31, 2026-01-31T18:30 or 2026-01-31T18:30+02:00")


class ProgressSteps:
    """A spinner for the current step, and a line with its duration for each step that ended.

    Beginning a step ends the one before.
    """

    def __init__(self) -> None:
        self._status = Status("", console=err)
        self._step, self._since = "", 0.0

    def __enter__(self) -> "ProgressSteps":
        self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finish_step("✗" if error else "✓", BAD if error else GOOD)
        self._status.stop()

    def begin(self, step: str) -> None:
        self._finish_step("✓", GOOD)
        self._step, self._since = step, time.monotonic()
        self._status.update(styled("{} …", step))

    def detail(self, text: str) -> None:
        """Show what the current step is doing; where nobody watches a terminal, print a line."""
        self._status.update(styled("{} … [dim]{}[/]", self._step, text))
        if not err.is_terminal:
            err.print(f"{self._step}: {text}", style="dim", markup=False)

    def _finish_step(self, symbol: str, style: str) -> None:
        if self._step:
            seconds = f"{time.monotonic() - self._since:.1f} s"
            err.print(Text.assemble((symbol, style), " ", visible(self._step), " ", (seconds, DIM)))
        self._step = ""
