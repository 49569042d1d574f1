"""The files of a data folder by which other processes find its cloud: the lock, the names, the ports."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from infra.local.errors import StartupFailed

_FILE_NAME = "cloud.json"
ISSUER_FILE = "issuer.json"
_LOCK_NAME = "lock"
_PORTS_NAME = "ports.json"
_EXIT_GRACE_S = 3.0


@dataclass(frozen=True, slots=True)
class CloudFile:
    """Endpoints and names of a running cloud."""

    pid: int
    endpoint: str
    environment: Mapping[str, str]
    outputs: Mapping[str, Any]
    functions: Mapping[str, str]
    """Function names by logical id."""


def find_running_cloud(data: Path) -> CloudFile | None:
    """Return the cloud that runs on a data folder; the file of a killed cloud is ignored."""
    try:
        written = json.loads((data / _FILE_NAME).read_text())
    except FileNotFoundError:
        return None
    found = CloudFile(**written)
    return found if _process_exists(found.pid) else None


def read_local_token(data: Path, role: str) -> str:
    """The bearer token of a role that the running cloud wrote; signing a new one needs the issuer's key."""
    return str(json.loads((data / ISSUER_FILE).read_text())["tokens"][role])


@contextmanager
def lock_data_folder(data: Path) -> Iterator[int]:
    """Lock a data folder for this block and for every process that has the yielded descriptor.

    The kernel releases the lock when the last of them ends. Raises StartupFailed if another cloud has it.
    """
    descriptor = os.open(data / _LOCK_NAME, os.O_RDWR | os.O_CREAT)
    try:
        _acquire_lock(descriptor, data)
        delete_cloud_file(data)
        yield descriptor
        delete_cloud_file(data)
    finally:
        os.close(descriptor)


def write_cloud_file(data: Path, file: CloudFile) -> None:
    """Write cloud.json atomically."""
    draft = data / f"{_FILE_NAME}.{os.getpid()}"
    draft.write_text(json.dumps(asdict(file), indent=2))
    draft.replace(data / _FILE_NAME)


def delete_cloud_file(data: Path) -> None:
    """Delete cloud.json."""
    (data / _FILE_NAME).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of a cloud's servers; 0 stands for any that is free."""

    api: int = 0
    aws: int = 0
    compute: int = 0


def choose_ports(data: Path, api: int | None) -> Ports:
    """The ports of the last cloud on the data folder as far as they are free; `api` replaces that of the API.

    Raises StartupFailed if the port `api` is in use.
    """
    if api is not None and not _is_free(api):
        raise StartupFailed(f"port {api} is in use: choose another one with --port, or stop what uses it")
    try:
        saved = json.loads((data / _PORTS_NAME).read_text())
    except FileNotFoundError:
        saved = {}
    free = Ports(**{name: port if _is_free(port) else 0 for name, port in saved.items()})
    return free if api is None else replace(free, api=api)


def save_ports(data: Path, ports: Ports) -> None:
    """Save the ports for the next start."""
    (data / _PORTS_NAME).write_text(json.dumps(asdict(ports)))


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except (OSError, OverflowError):
        return False
    return True


def _acquire_lock(descriptor: int, data: Path) -> None:
    """Take the lock; wait for the processes of a killed cloud to end."""
    deadline = time.monotonic() + _EXIT_GRACE_S
    while not _try_lock(descriptor):
        owner = find_running_cloud(data)
        owner_was_killed = owner is None and (data / _FILE_NAME).exists()
        if not owner_was_killed or time.monotonic() > deadline:
            owner_description = f"pid {owner.pid}" if owner else "still starting"
            raise StartupFailed(f"a local cloud ({owner_description}) already runs on {data}")
        time.sleep(0.05)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _process_exists(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        return _can_signal(pid)
    return False


def _can_signal(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    return True
