"""Compiles a folder ahead of time: Lambda cannot write bytecode, so each cold start would compile again."""

import os
from pathlib import Path

from infra.package.running import run
from infra.package.targets import Target


def compile_folder(folder: Path, target: Target, mounted_at: str) -> None:
    """Put `__pycache__` beside the sources, trusted without looking at their dates.

    Does nothing where no interpreter of the target's version is at hand: the function then compiles itself.
    """
    if target.compiler is None:
        return
    command = [target.compiler, "-m", "compileall", "-qq", "-j", "1", "--invalidation-mode", "unchecked-hash"]
    run(
        [*command, "-s", str(folder), "-p", mounted_at, str(folder)],
        failure=f"Some of {mounted_at} does not compile for Python {target.python}:",
        environment={**os.environ, "PYTHONHASHSEED": "0"},
    )
