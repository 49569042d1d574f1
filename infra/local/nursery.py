"""Child processes that cannot outlive the cloud, whatever ends it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_BOOT = Path(__file__).with_name("boot.py")


class Nursery:
    """Starts every child from one thread that lives as long as the cloud.

    Linux tells a child of its parent's death when the *thread* that started it ends, so a thread that
    comes and goes with one request must not start any.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nursery")

    def start(
        self,
        command: Sequence[str],
        *,
        python: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        output: int | None = None,
        inherit: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Run `<python> boot.py <command>` in `folder`, in a process group of its own."""
        return self._thread.submit(
            subprocess.Popen,
            [*python, str(_BOOT), str(os.getpid()), *command],
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if output is None else output,
            stderr=subprocess.DEVNULL if output is None else output,
            pass_fds=tuple(inherit),
            start_new_session=True,
        ).result()

    def close(self) -> None:
        """End the thread, and with it, on Linux, any child still alive."""
        self._thread.shutdown()


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a child and everything it started, at once."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
