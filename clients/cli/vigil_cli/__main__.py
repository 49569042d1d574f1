"""`./vigil`: the tree of commands, each imported only when it is called."""

import ast
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from vigil import __version__
from vigil_cli.paths import COMMANDS_FOLDER

GROUPS: Mapping[str, str] = {
    "people": "Enrol, list, tag and erase people.",
    "drops": "Upload photos and read the records of drops.",
    "models": "Register, promote, train and evaluate releases of models.",
    "ops": "Operate a deployment: lanes, dead letters, alarms, rules and the audit log.",
    "ops dlq": "List, redrive and quarantine dead letters; triage does this by itself where it can.",
    "ops audit": "Show and verify the audit log.",
}

COMMANDS: Mapping[str, str] = {
    "up": "local:up",
    "demo": "demo:demo",
    "status": "status:status",
    "drop": "drops:upload",
    "enrol": "people:enrol",
    "sightings": "drops:sightings",
    "alerts": "alerts:alerts",
    "review": "alerts:review",
    "predict": "predict:predict",
    "logs": "local:logs",
    "token": "local:token",
    "people list": "people:list_people",
    "people show": "people:show",
    "people enrol": "people:enrol",
    "people rename": "people:rename",
    "people tags": "people:tags",
    "people search": "people:search",
    "people erase": "people:erase",
    "people verify-erasure": "people:verify_erasure",
    "drops list": "drops:list_drops",
    "drops quarantined": "drops:quarantined",
    "drops show": "drops:show",
    "drops notes": "drops:notes",
    "drops upload": "drops:upload",
    "drops label": "drops:label",
    "models list": "models:list_models",
    "models show": "models:show",
    "models register": "models:register",
    "models promote": "models:promote",
    "models reject": "models:reject",
    "models rollback": "models:rollback",
    "models train": "models:train",
    "models evaluate": "models:evaluate",
    "ops alarms": "alarms:alarms",
    "ops triage": "maintenance:triage",
    "ops reconcile": "maintenance:reconcile",
    "ops backfill": "maintenance:backfill",
    "ops canary": "maintenance:canary",
    "ops pause": "maintenance:pause",
    "ops resume": "maintenance:resume",
    "ops rules": "alerts:rules",
    "ops dlq list": "dlq:list_dead_letters",
    "ops dlq show": "dlq:show",
    "ops dlq redrive": "dlq:redrive",
    "ops dlq quarantine": "dlq:quarantine",
    "ops audit show": "audit:show",
    "ops audit verify": "audit:verify",
}
"""The words of each command -> its module in commands/ and its function there."""


class LazyCommands(Mapping[str, Any]):
    """The commands and groups directly below a group, each imported when it is read."""

    def __init__(self, group: str) -> None:
        self._prefix = f"{group} " if group else ""

    def __getitem__(self, name: str) -> Any:
        words = self._prefix + name
        if words in GROUPS:
            return LazyGroup(path=words, name=name, help=GROUPS[words])
        return _load_command(name, COMMANDS[words])

    def __iter__(self) -> Iterator[str]:
        inside = (words.removeprefix(self._prefix) for words in COMMANDS if words.startswith(self._prefix))
        return iter(dict.fromkeys(words.split()[0] for words in inside))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def summaries(self) -> list[tuple[str, str]]:
        """(name, first sentence of the help) of each, read from the source without importing it."""
        return [
            (name, GROUPS.get(self._prefix + name) or _summary(COMMANDS[self._prefix + name]))
            for name in self
        ]


class LazyGroup(TyperGroup):
    """A group that lists its commands without importing them."""

    def __init__(self, *, path: str = "", **settings: Any) -> None:
        super().__init__(**settings | {"rich_markup_mode": None, "no_args_is_help": True})
        self.lazy_commands = LazyCommands(path)
        self.commands = self.lazy_commands  # type: ignore[assignment]  # nothing is ever added to it

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(self.lazy_commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(self.lazy_commands.summaries())


def _load_command(name: str, location: str) -> Any:
    from vigil_cli.session import with_session_options

    module, _, function = location.partition(":")
    command = getattr(import_module(f"vigil_cli.commands.{module}"), function)
    single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    single.command(name)(with_session_options(command))
    return typer.main.get_command(single)


def _summary(location: str) -> str:
    """The first sentence of a command's docstring."""
    module, _, function = location.partition(":")
    tree = ast.parse((COMMANDS_FOLDER / f"{module}.py").read_text("utf-8"))
    (node,) = (one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == function)
    return (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")


app = typer.Typer(
    cls=LazyGroup,
    name="vigil",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"max_content_width": 100},
)


def _print_version(value: bool) -> None:
    if value:
        print(f"vigil {__version__}")
        raise typer.Exit


@app.callback(epilog="Exit codes: 0 success; 1 a failed check or a missing result; 2 an error; 130 Ctrl-C.")
def vigil(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Drop a photo, know who is in it.

    `./vigil up` starts the system on this machine. The other commands use the API of that system,
    or with --stage that of a deployment on AWS.
    """


if __name__ == "__main__":
    app(prog_name="./vigil")
