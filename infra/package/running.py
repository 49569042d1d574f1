"""Runs another program silently, and lets it speak only when it fails."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.package.errors import PackagingError

_LAST_LINES = 12


def run(
    command: Sequence[str],
    *,
    failure: str,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Return what the program printed; on failure raise PackagingError with `failure` and its last lines."""
    answer = subprocess.run(
        command, check=False, cwd=folder, env=environment, capture_output=True, text=True, errors="replace"
    )
    if answer.returncode != 0:
        last = (answer.stderr or answer.stdout).strip().splitlines()[-_LAST_LINES:]
        raise PackagingError("\n".join([failure, *last]))
    return answer.stdout
