"""What AWS's own Python runtime brings to every function: its runtime client and boto3."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

from infra.local.errors import CannotStart

_BRINGS = ("awslambdaric", "boto3")


def runtime_dir(build: Path, constraints: Path, *, on_progress: Callable[[str], None] | None = None) -> Path:
    """The folder that plays /var/runtime for this interpreter, installed into `build` the first time.

    The folder appears only when it is whole, so an installation cut short is simply done again.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = build / f"lambda-runtime-{version}"
    if not folder.is_dir():
        if on_progress:
            on_progress(f"installing the Lambda runtime for Python {version} (once)")
        build.mkdir(parents=True, exist_ok=True)
        unfinished = Path(mkdtemp(prefix="lambda-runtime-", dir=build))
        _install(unfinished, constraints)
        unfinished.chmod(0o755)
        unfinished.rename(folder)
    return folder


def _install(folder: Path, constraints: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--target", str(folder)]
    result = subprocess.run(
        [*command, "--constraint", str(constraints), *_BRINGS], capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise CannotStart(f"the Lambda runtime could not be installed: {result.stderr.strip()}")
