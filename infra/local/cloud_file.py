"""`<data>/cloud.json`: how another terminal finds the cloud that runs on this data."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from infra.local.errors import CannotStart

_NAME = "cloud.json"


@dataclass(frozen=True, slots=True)
class CloudFile:
    """What one needs to talk to a running cloud."""

    pid: int
    endpoint: str
    environment: Mapping[str, str]
    outputs: Mapping[str, Any]
    functions: Mapping[str, str]
    """Function names by logical id."""


def find(data: Path) -> CloudFile | None:
    """The cloud that runs on this data now; a file that a killed one left behind counts as none."""
    try:
        written = json.loads((data / _NAME).read_text())
    except FileNotFoundError:
        return None
    found = CloudFile(**written)
    return found if _alive(found.pid) else None


def claim(data: Path) -> None:
    """Refuse to share the data with a running cloud; clear away what a dead one left."""
    other = find(data)
    if other is not None:
        raise CannotStart(f"a local cloud (pid {other.pid}) already runs on {data}")
    forget(data)


def write(data: Path, file: CloudFile) -> None:
    """Publish; readers see the whole file or none."""
    draft = data / f"{_NAME}.{os.getpid()}"
    draft.write_text(json.dumps(asdict(file), indent=2))
    draft.replace(data / _NAME)


def forget(data: Path) -> None:
    """Remove the file."""
    (data / _NAME).unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        return _signalled(pid)
    return False


def _signalled(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    return True
