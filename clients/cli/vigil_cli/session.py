"""The options that every command has: the deployment to use, and the form of the output."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from vigil.access.roles import Role
from vigil_cli.console import fail, out, print_json
from vigil_cli.paths import DATA

if TYPE_CHECKING:
    from rich.console import RenderableType

    from vigil_cli.deployment import Deployment
    from vigil_client import Problem, Vigil

DaysOption = Annotated[int, typer.Option("--days", help="How many days to go back.", min=1)]
LimitOption = Annotated[int, typer.Option("--limit", "-n", help="How many rows at most.", min=1)]
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
    def api(self, role: Role) -> Iterator[Vigil]:
        """The API's client with a token of a role; an error of the API ends the command with exit code 2.

        On AWS the token is that of VIGIL_TOKEN, and the address that of VIGIL_URL or of the stack's outputs.
        """
        from urllib3.exceptions import HTTPError

        from vigil_client import Problem, Vigil

        url, token = self._aws_access() if self.stage else self._local_access(role)
        try:
            yield Vigil(url, token)
        except Problem as problem:
            fail(_describe(problem))
        except HTTPError as error:
            fail(f"the API does not answer: {error}; docs/operations.md says what to do while it is down")

    def deployment(self) -> Deployment:
        """Direct access to the deployment's AWS services."""
        from vigil_cli.deployment import connect

        return connect(self.stage, self.data)

    def show(self, rows: Iterable[Mapping[str, Any]], view: Callable[[], RenderableType]) -> None:
        """Print the rows as JSON, or else the view of them."""
        print_json(rows) if self.as_json else out.print(view())

    def _local_access(self, role: Role) -> tuple[str, str]:
        from infra.local.discovery import find_running_cloud
        from infra.local.issuer import load_issuer

        state = find_running_cloud(self.data)
        if state is None:
            fail(NO_LOCAL_CLOUD)
        token = load_issuer(self.data).issue_token(role, subject=f"local-{role}")
        return str(state.outputs["EndpointURL"]), token

    def _aws_access(self) -> tuple[str, str]:
        if "VIGIL_TOKEN" not in os.environ:
            fail("VIGIL_TOKEN is not set: set it to a token of your identity provider")
        url = os.environ.get("VIGIL_URL") or self.deployment().outputs["EndpointURL"]
        return url, os.environ["VIGIL_TOKEN"]


def with_session_options(command: Callable[..., None]) -> Callable[..., None]:
    """Replace the parameter `session` of a command by the options --json, --stage and --data."""
    signature = inspect.signature(command, eval_str=True)
    if "session" not in signature.parameters:
        return command

    def run(*, as_json: bool, stage: str, data: Path, **arguments: Any) -> None:
        command(session=Session(stage, data, as_json), **arguments)

    own = [one for one in signature.parameters.values() if one.name != "session"]
    shared = inspect.signature(_shared_options, eval_str=True).parameters.values()
    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*own, *shared)]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by inspect
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    run.__doc__ = command.__doc__
    return run


def _shared_options(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, one object a line, with the keys of docs/cli.md.")
    ] = False,
    stage: Annotated[str, typer.Option(help="A stage on AWS instead of the local cloud.")] = "",
    data: Annotated[Path, typer.Option(help="Data folder of the local cloud.", show_default=".vigil")] = DATA,
) -> None: ...


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
