"""Runs Chalice's own packaging on a laid-out project: in, folders; out, its template and its zip."""

import os
import sys
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # stubs are not among the pins

from infra.package.running import run

_RUN = "import sys; from chalice.cli import main; sys.exit(main())"
_OUT = "out"
_REGION = "us-east-1"
"""Chalice asks for a region to look up endpoint names; nothing in the template depends on it."""


def run_chalice(project: Path, merge_template: Path) -> None:
    """Package the project into its own folder `out`."""
    merge = os.path.relpath(merge_template, project)
    command = [sys.executable, "-c", _RUN, "package", "--merge-template", merge, _OUT]
    run(command, failure="Chalice could not package the app:", folder=project, environment=_environment())


def template(project: Path) -> dict[str, Any]:
    """The template that Chalice wrote and merged; it speaks the language of the template merged into it."""
    candidates = [project / _OUT / name for name in ("sam.yaml", "sam.json")]
    written = next(path for path in candidates if path.exists())
    loaded: dict[str, Any] = yaml.load(written.read_text(), Loader=yaml.SafeLoader)
    return loaded


def code(project: Path) -> Path:
    """Chalice's zip: its own run time, app.py, and what vendor/ held."""
    return project / _OUT / "deployment.zip"


def _environment() -> dict[str, str]:
    """This process's, less what would make the app under packaging another one than what ships."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {"AWS_DEFAULT_REGION": _REGION, **inherited, "PYTHONDONTWRITEBYTECODE": "1"}
