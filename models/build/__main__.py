"""`python -m models.build`: build every model that changed."""

import sys

from rich.console import Console

from models.build.build import build_all
from models.build.files import BuildFailure
from vigil.toml_file import InvalidToml


def main() -> int:
    """Exit status 0 if all models are built, else 1."""
    console = Console()
    try:
        with console.status("models") as status:
            built = build_all(lambda name, doing: status.update(f"{name}: {doing}"))
    except (BuildFailure, InvalidToml) as failure:
        console.print(f"[red]models:[/] {failure}", soft_wrap=True)
        return 1
    console.print(f"[green]models:[/] {', '.join(built) + ' built' if built else 'all up to date'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
