"""Click commands made from annotated functions, in groups that import a command only when it is called."""

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click

from vigil_cli.paths import COMMANDS_FOLDER, DATA


@dataclass(frozen=True, kw_only=True, slots=True)
class Argument:
    """A positional parameter of a command: `Annotated[str, Argument(help=...)]`."""

    help: str
    metavar: str = ""
    exists: bool = False
    file_okay: bool = True
    dir_okay: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """An option of a command: `Annotated[int, Option(help=...)]`.

    flags    default --name, and --name/--no-name for a bool without a default
    default  text in the help instead of the default value
    prompt   whether a missing value is asked for
    """

    help: str
    flags: tuple[str, ...] = ()
    exists: bool = False
    file_okay: bool = True
    dir_okay: bool = True
    min: float | None = None
    max: float | None = None
    default: str = ""
    prompt: bool = False


JsonOption = Annotated[
    bool, Option(help="Print JSON, one object a line, with the keys of docs/cli.md.", flags=("--json",))
]
StageOption = Annotated[str, Option(help="A stage on AWS instead of the local cloud.")]
DataOption = Annotated[Path, Option(help="Data folder of the local cloud.", default=".vigil")]


class CommandWithArguments(click.Command):
    """A command whose help lists its arguments above its options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        arguments = [one for one in self.params if isinstance(one, click.Argument)]
        if arguments:
            with formatter.section("Arguments"):
                formatter.write_dl([(one.make_metavar(ctx), self.argument_help[one]) for one in arguments])
        super().format_options(ctx, formatter)

    argument_help: Mapping[click.Argument, str]


def make_command(name: str, function: Callable[..., None]) -> click.Command:
    """The command of a function; a parameter `session` becomes the options --json, --stage and --data."""
    from vigil_cli.session import Session

    def run(**values: Any) -> None:
        if "session" in signature:
            values["session"] = Session(*(values.pop(option) for option in ("stage", "data", "as_json")))
        function(**values)

    signature = inspect.signature(function, eval_str=True).parameters
    shared = inspect.signature(_session_options).parameters if "session" in signature else {}
    params = [_parameter(one) for one in (*signature.values(), *shared.values()) if one.name != "session"]
    command = CommandWithArguments(name, params=params, callback=run, help=inspect.getdoc(function))
    command.argument_help = {
        one: get_args(signature[one.name or ""].annotation)[1].help
        for one in params
        if isinstance(one, click.Argument)
    }
    return command


def _session_options(
    *, as_json: JsonOption = False, stage: StageOption = "", data: DataOption = DATA
) -> None: ...


def _parameter(parameter: inspect.Parameter) -> click.Parameter:
    annotation, settings = get_args(parameter.annotation)
    kinds = [one for one in get_args(annotation) if one is not type(None)]
    kind = kinds[0] if get_origin(annotation) in (UnionType, Union) else annotation
    repeated = get_origin(kind) is list
    kind = get_args(kind)[0] if repeated else kind
    required = parameter.default is inspect.Parameter.empty
    default = None if required else parameter.default
    if isinstance(settings, Argument):
        metavar = settings.metavar or parameter.name.upper()
        nargs = -1 if repeated else 1
        return click.Argument(
            [parameter.name],
            type=_click_type(kind, settings),
            nargs=nargs,
            required=required,
            default=default,
            metavar=metavar + ("..." if repeated else ""),
        )
    return _option(parameter.name, kind, settings, default, required=required, repeated=repeated)


def _option(
    name: str, kind: Any, settings: Option, default: Any, *, required: bool, repeated: bool
) -> click.Option:
    flag = f"--{name.replace('_', '-')}"
    either = f"{flag}/--no-{flag.removeprefix('--')}" if kind is bool and default is None else flag
    is_shown = default not in (None, "", False)
    return click.Option(
        [name, *(settings.flags or (either,))],
        help=settings.help,
        type=None if kind is bool else _click_type(kind, settings),
        is_flag=kind is bool,
        default=default,
        show_default=settings.default or is_shown,
        required=required and not settings.prompt,
        prompt=settings.prompt,
        multiple=repeated,
    )


def _click_type(kind: Any, settings: Argument | Option) -> Any:
    if get_origin(kind) is Literal:
        return click.Choice(get_args(kind))
    if kind is Path:
        return click.Path(
            exists=settings.exists,
            file_okay=settings.file_okay,
            dir_okay=settings.dir_okay,
            path_type=Path,
        )
    if isinstance(settings, Option) and (settings.min, settings.max) != (None, None):
        if kind is float:
            return click.FloatRange(settings.min, settings.max)
        return click.IntRange(
            None if settings.min is None else int(settings.min),
            None if settings.max is None else int(settings.max),
        )
    return kind


class LazyGroup(click.Group):
    """A group that lists its commands without importing them.

    path      words of this group
    groups    words of each group -> its help
    commands  words of each command -> its module in commands/ and its function there
    """

    def __init__(
        self, path: str, groups: Mapping[str, str], locations: Mapping[str, str], **settings: Any
    ) -> None:
        super().__init__(path.rpartition(" ")[2] or None, help=groups[path], no_args_is_help=True, **settings)
        self._prefix = f"{path} " if path else ""
        self._groups, self._locations = groups, locations

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        inside = (one.removeprefix(self._prefix) for one in self._locations if one.startswith(self._prefix))
        return list(dict.fromkeys(words.split()[0] for words in inside))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        words = self._prefix + cmd_name
        if words in self._groups:
            return LazyGroup(words, self._groups, self._locations)
        if words not in self._locations:
            return None
        module, _, function = self._locations[words].partition(":")
        return make_command(cmd_name, getattr(import_module(f"vigil_cli.commands.{module}"), function))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Raises UsageError with similar names if there is no such command."""
        from difflib import get_close_matches

        name, known = args[0], self.list_commands(ctx)
        if name not in known and not name.startswith("-"):
            similar = get_close_matches(name, known)
            hint = f"did you mean {' or '.join(similar)}?" if similar else f"there are: {', '.join(known)}"
            ctx.fail(f"no such command {name!r}: {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, self._summary(self._prefix + name)) for name in self.list_commands(ctx)]
            )

    def _summary(self, words: str) -> str:
        """The first sentence of the help, read from the source without importing it."""
        if words in self._groups:
            return self._groups[words]
        module, _, function = self._locations[words].partition(":")
        tree = ast.parse((COMMANDS_FOLDER / f"{module}.py").read_text("utf-8"))
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        return (ast.get_docstring(functions[function]) or "").split("\n\n")[0].replace("\n", " ")
