"""`python -m models.build [MODEL ...]`: build the models of the deployment that changed."""

import sys
from functools import partial

from rich.console import Console
from rich.status import Status

from models.build.build import build_all
from models.build.files import BuildFailure
from vigil.toml_file import InvalidToml


def main() -> int:
    """Exit status 0 if all models are built, else 1."""
    console = Console()
    try:
        with console.status("models") as status:
            built = build_all(partial(_report, console, status), names=sys.argv[1:])
    except (BuildFailure, InvalidToml) as failure:
        console.print(f"[red]models:[/] {failure}", soft_wrap=True)
        return 1
    console.print(f"[green]models:[/] {', '.join(built) + ' built' if built else 'all up to date'}")
    return 0


def _report(console: Console, status: Status, name: str, step: str) -> None:
    """Show a step; where nobody watches a terminal, print a line for each."""
    status.update(f"{name}: {step}")
    if not console.is_terminal:
        console.print(f"models: {name}: {step}")


if __name__ == "__main__":
    sys.exit(main())
