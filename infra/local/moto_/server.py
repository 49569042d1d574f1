"""The moto server as a child process, and the commands that the cloud sends to it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from infra.local.process import ProcessGroup, kill_process

_PROJECT = Path(__file__).parents[3]
CONTROL_PATH = "/local-cloud/"
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class ControlApplication:
    """A WSGI application that executes the command in /local-cloud/<command> and forwards other requests."""

    def __init__(self, application: Application, commands: Mapping[str, Callable[[Any], Any]]) -> None:
        self._application = application
        self._commands = commands

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith(CONTROL_PATH):
            return self._application(environ, start)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        argument = json.loads(environ["wsgi.input"].read(length) or b"null")
        body = json.dumps(self._commands[path.removeprefix(CONTROL_PATH)](argument)).encode()
        start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


class MotoServer:
    """The server's process. Its socket is opened here, so early calls wait until the process accepts them."""

    def __init__(self, log: Path, *, state_file: Path | None, lock_descriptor: int, port: int = 0) -> None:
        self._log = log
        self._state_file = state_file
        self._lock_descriptor = lock_descriptor
        self._socket = socket.create_server(("127.0.0.1", port), backlog=128)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = int(self._socket.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self, processes: ProcessGroup) -> None:
        """Start the process with the socket; if it dies, connections are refused.

        The process inherits the lock on the data folder, which stays locked while the process can write.
        """
        with self._log.open("ab") as log, self._socket:
            descriptor = self._socket.fileno()
            self._process = processes.start(
                [
                    "infra.local.moto_.process",
                    str(descriptor),
                    *([str(self._state_file)] if self._state_file else []),
                ],
                python=[sys.executable],
                environment=_child_environment(),
                folder=_PROJECT,
                output=log.fileno(),
                inherit=[descriptor, self._lock_descriptor],
            )

    @property
    def pid(self) -> int | None:
        """The pid of the process, while there is one."""
        return self._process.pid if self._process else None

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def run_command(self, command: str, argument: Any = None) -> Any:
        """Execute a command of ControlApplication in the process; returns its result."""
        body = json.dumps(argument).encode()
        with urlopen(f"{self.url}{CONTROL_PATH}{command}", data=body, timeout=60) as answer:  # noqa: S310 - a local URL
            return json.loads(answer.read())

    def recreate_client_queues(self) -> None:
        """Create the queues of clients again after the template's resources were created."""
        if self._state_file:
            self.run_command("recreate-client-queues")

    def stop(self) -> None:
        """Kill the process."""
        self._socket.close()
        if self._process:
            kill_process(self._process)


def _child_environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return inherited | {"PYTHONPATH": str(_PROJECT)}
