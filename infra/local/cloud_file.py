"""`<data>/cloud.json`: how another terminal finds the cloud that runs on this data."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from infra.local.errors import CannotStart

_NAME = "cloud.json"
_LOCK = "lock"
_DYING_S = 3.0


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


@contextmanager
def claimed(data: Path) -> Iterator[int]:
    """The data folder is ours alone while inside, and while any process has the descriptor that this yields.

    The lock is the kernel's: whoever dies frees it, and of two who start at once one is refused.
    """
    descriptor = os.open(data / _LOCK, os.O_RDWR | os.O_CREAT)
    try:
        _lock(descriptor, data)
        forget(data)
        yield descriptor
        forget(data)
    finally:
        os.close(descriptor)


def write(data: Path, file: CloudFile) -> None:
    """Publish; readers see the whole file or none."""
    draft = data / f"{_NAME}.{os.getpid()}"
    draft.write_text(json.dumps(asdict(file), indent=2))
    draft.replace(data / _NAME)


def forget(data: Path) -> None:
    """Remove the file."""
    (data / _NAME).unlink(missing_ok=True)


def _lock(descriptor: int, data: Path) -> None:
    """A cloud that was killed a moment ago may still have a process: for its end, wait a little."""
    until = time.monotonic() + _DYING_S
    while not _locked(descriptor):
        other = find(data)
        killed = other is None and (data / _NAME).exists()
        if not killed or time.monotonic() > until:
            who = f"pid {other.pid}" if other else "still starting"
            raise CannotStart(f"a local cloud ({who}) already runs on {data}")
        time.sleep(0.05)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


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
