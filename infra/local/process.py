"""Child processes that cannot outlive the cloud, whatever ends it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

_BOOT_SCRIPT = Path(__file__).with_name("boot.py")


class ProcessGroup:
    """Starts every child from one thread that lives as long as the cloud.

    Linux tells a child of its parent's death when the *thread* that started it ends, so a thread that
    comes and goes with one request must not start any.
    """

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="process-group")

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
        return self._executor.submit(
            subprocess.Popen,
            [*python, str(_BOOT_SCRIPT), str(os.getpid()), *command],
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
        self._executor.shutdown()


def kill_process(process: subprocess.Popen[bytes]) -> None:
    """End a child and everything it started, at once."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


# MERGED: SIGTERM as an exception, so that a `with` block that is told to end still cleans up.


@contextmanager
def exit_on_sigterm() -> Iterator[None]:
    """While inside, SIGTERM raises SystemExit in the main thread; elsewhere there is nothing to set."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous_handler = signal.signal(signal.SIGTERM, _raise_exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous_handler)


def _raise_exit(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


# MERGED: How much memory a process holds: the resident set, as Lambda bills and limits it.

_PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
_MIB = 1024 * 1024


def resident_mb(pid: int) -> float:
    """Megabytes resident now; 0 once the process is gone."""
    if sys.platform != "linux":
        return _resident_by_ps(pid)
    try:
        pages = Path(f"/proc/{pid}/statm").read_bytes().split()[1]
    except (OSError, IndexError):
        return 0.0
    return int(pages) * _PAGE_SIZE / _MIB


def _resident_by_ps(pid: int) -> float:
    completed = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return float(completed.stdout.strip() or 0) / 1024
