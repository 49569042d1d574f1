"""What every command shares: the deployment that it uses, and the form of its output."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args

from vigil.access.roles import Role
from vigil.drops.messages import CANARY_SOURCE
from vigil_cli.command_line import Option
from vigil_cli.console import fail, out, print_json
from vigil_cli.output_files import prepare_folder

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from vigil_cli.deployment import Deployment
    from vigil_client.transport import Token
from vigil_client import Problem, Vigil

Row = TypeVar("Row", bound=Mapping[str, Any])

DaysOption = Annotated[int, Option(help="How many days to go back.", min=1, flags=("--days",))]
LimitOption = Annotated[
    int,
    Option(help="How many rows at most.", min=1, flags=("--limit", "-n")),
]
SourceOption = Annotated[str | None, Option(help="Only from this source.")]
SinceOption = Annotated[str | None, Option(help="Only from this time on, such as 2026-01-31T18:30.")]
UntilOption = Annotated[str | None, Option(help="Only before this time.")]
SHOWN_DIGITS = 12
"""So much of an id of a drop or an alert is in the tables."""

MAX_FETCHED = 2000
"""Rows that a command fetches at most to count and sort them."""

LaneName = Literal["live", "bulk"]
LANES: tuple[LaneName, ...] = get_args(LaneName)
NO_LOCAL_CLOUD = "no local cloud is running: start one with `./vigil up`, or name a stage on AWS with --stage"


@dataclass(frozen=True, slots=True)
class Session:
    """A deployment and an output form.

    stage    a stage on AWS; empty for the local cloud
    data     data folder of the local cloud
    as_json  whether results are printed as JSON
    """

    stage: str
    data: Path
    as_json: bool

    @contextmanager
    def api(self, role: Role, token_file: Path | None = None) -> Iterator[Vigil]:
        """The API's client with a token of a role; an error of the API ends the command with exit code 2.

        On AWS the token is that of VIGIL_TOKEN, and the address that of VIGIL_URL or of the stack's outputs.
        A token file, which is read at each call, replaces the token, and with VIGIL_URL no stage is needed.
        """
        from vigil_client import ApiUnreachable, Problem, Vigil

        url: str
        token: Token
        if token_file is not None:
            url, token = self._url(), lambda: token_file.read_text().strip()
        else:
            url, token = self._aws_access() if self.stage else self._local_access(role)
        try:
            yield Vigil(url, token)
        except Problem as problem:
            fail(_describe(problem))
        except ApiUnreachable as error:
            fail(f"{error}; docs/operations.md says what to do while it is down")

    def rekognition(self, role: Role) -> Any:
        """A client of Amazon Rekognition whose requests the deployment answers."""
        from vigil_client import rekognition

        return rekognition(*(self._aws_access() if self.stage else self._local_access(role)))

    def deployment(self) -> Deployment:
        """Direct access to the deployment's AWS services."""
        from vigil_cli.deployment import connect

        return connect(self.stage, self.data)

    def show(self, rows: Iterable[Mapping[str, Any]], view: Callable[[], RenderableType]) -> None:
        """Print the rows as JSON, or else the view of them."""
        print_json(rows) if self.as_json else out.print(view())

    def _local_access(self, role: Role) -> tuple[str, str]:
        from infra.local.discovery import find_running_cloud, read_local_token

        state = find_running_cloud(self.data)
        if state is None:
            fail(NO_LOCAL_CLOUD)
        return str(state.outputs["EndpointURL"]), read_local_token(self.data, role)

    def _aws_access(self) -> tuple[str, str]:
        if "VIGIL_TOKEN" not in os.environ:
            fail("VIGIL_TOKEN is not set: set it to a token of your identity provider")
        return self._url(), os.environ["VIGIL_TOKEN"]

    def _url(self) -> str:
        return os.environ.get("VIGIL_URL") or str(self.deployment().outputs["EndpointURL"])


def fetch_rows(rows: Iterator[Row], source: str | None) -> tuple[list[Row], str]:
    """Up to MAX_FETCHED rows without those of the canary, unless it is asked for, and what was left out."""
    fetched = list(islice(rows, MAX_FETCHED))
    shown = [one for one in fetched if source == CANARY_SOURCE or one["source"] != CANARY_SOURCE]
    hidden = len(fetched) - len(shown)
    notes = [f"{hidden} of the canary are left out (--source {CANARY_SOURCE})"] if hidden else []
    notes += [f"only the newest {MAX_FETCHED} were read"] if len(fetched) == MAX_FETCHED else []
    return shown, "; ".join(notes)


def counted(title: str, shown: int, total: int, note: str = "") -> str:
    """The title of a list: how many rows there are, how many of them are shown, and what was left out."""
    count = f"{total}" if shown == total else f"{shown} of {total}"
    return f"{title}: {count}" + (f"; {note}" if note else "")


def no_rows(kind: str, days: int, note: str) -> str:
    return f"no such {kind} in the last {days} days" + (f"; {note}" if note else "")


def picture_link(row: Mapping[str, Any]) -> Text:
    """The beginning of a row's id, which opens its picture in a terminal that shows links."""
    from rich.text import Text

    link = row.get("thumbnail_url")
    return Text(row["id"][:SHOWN_DIGITS], style=f"link {link}" if link else "")


def save_pictures(api: Vigil, rows: Iterable[Mapping[str, Any]], folder: Path) -> None:
    """Write the picture of each row that has one to <id>.jpg."""
    prepare_folder(folder, "--pictures")
    for row in rows:
        if link := row.get("thumbnail_url"):
            (folder / f"{row['id']}.jpg").write_bytes(api.get_thumbnail(link))


def name_lookup(api: Vigil) -> Callable[[str], str]:
    """A function from subject to name; subjects without a visible name stay as they are."""
    from vigil_client import Forbidden, NotFound

    @cache
    def name_of(subject: str) -> str:
        if not subject.startswith("p-"):
            return subject
        try:
            return api.get_person(subject)["name"]
        except (NotFound, Forbidden):
            return subject

    return name_of


def _describe(problem: Problem) -> str:
    """A problem in one line: what is wrong, and what to do."""
    reason = f" ({problem.reason})" if problem.reason else ""
    return f"{problem.detail or problem.title}{reason}. {problem.remedy}".rstrip()
