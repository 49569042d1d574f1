"""Everything that is not compute: a moto server in a process of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from infra.local.moto_front import PATH
from infra.local.nursery import Nursery, kill

_PROJECT = Path(__file__).parents[2]


class MotoServer:
    """Known by its address before it is up: the socket is opened here, so early callers wait in line."""

    def __init__(self, log: Path, *, state: Path | None, lock: int) -> None:
        self._log = log
        self._state = state
        self._lock = lock
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def start(self, nursery: Nursery) -> None:
        """Hand the socket to a new process; from here on a dead server refuses connections.

        It holds the lock on the data folder too: nobody takes the folder while it may still write there.
        """
        with self._log.open("ab") as log, self._socket:
            descriptor = self._socket.fileno()
            self._process = nursery.start(
                ["infra.local.moto_process", str(descriptor), *([str(self._state)] if self._state else [])],
                python=[sys.executable],
                environment=_environment(),
                folder=_PROJECT,
                output=log.fileno(),
                inherit=[descriptor, self._lock],
            )

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        """Whether the server can still answer."""
        return self._process is not None and self._process.poll() is None

    def do(self, deed: str, asked: Any = None) -> Any:
        """Ask the process itself for something (see moto_front.py); returns what it tells."""
        body = json.dumps(asked).encode()
        with urlopen(f"{self.url}{PATH}{deed}", data=body, timeout=60) as answer:  # noqa: S310 - our own
            return json.loads(answer.read())

    def make_missing(self) -> None:
        """All that should be there has been made; now the rest of what was there before."""
        if self._state:
            self.do("make-missing")

    def stop(self) -> None:
        """End it; what it held is gone."""
        self._socket.close()
        if self._process:
            kill(self._process)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {"PYTHONPATH": str(_PROJECT)}
