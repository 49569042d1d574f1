"""Child processes and threads of a cloud: none outlives it, and the crash of a thread is recorded."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from infra.local.errors import CloudCrashed

logger = logging.getLogger("vigil.local")

_PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
_MIB = 1024 * 1024
_BOOT_SCRIPT = Path(__file__).with_name("boot.py")


class ProcessGroup:
    """Starts every child process from one thread that lives as long as the cloud.

    Linux sends the parent-death signal when the *thread* that started a child ends, so the thread of one
    request must not start any.
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
        """Run `<python> boot.py <command>` in a folder, in a process group of its own."""
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
        """End the thread; on Linux this kills the remaining children."""
        self._executor.shutdown()


def kill_process(process: subprocess.Popen[bytes]) -> None:
    """Kill a child and the processes that it started."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def exit_on_sigterm() -> Iterator[None]:
    """Let SIGTERM raise SystemExit in the main thread, so that `with` blocks clean up."""
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


def resident_mb(pid: int) -> float:
    """Return the resident megabytes of a process; 0 if it does not exist."""
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


class ThreadSupervisor:
    """Starts threads and records their crashes; while the cloud stops, crashes are ignored."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._crashes: list[str] = []

    @property
    def crashes(self) -> tuple[str, ...]:
        """One sentence for each thread that crashed."""
        return tuple(self._crashes)

    def start_thread(self, name: str, work: Callable[[], None]) -> threading.Thread:
        """Run `work` in a thread of its own."""
        thread = threading.Thread(target=self.run_guarded, args=(name, work), name=name, daemon=True)
        thread.start()
        return thread

    def run_guarded(self, name: str, work: Callable[[], None]) -> None:
        """Run `work` in this thread and record an exception as a crash."""
        with _CrashRecorder(name, self):
            work()

    def raise_crashes(self) -> None:
        """Raise CloudCrashed if a thread crashed."""
        if self._crashes:
            raise CloudCrashed("; ".join(self._crashes))

    def record_crash(self, name: str, error: BaseException) -> None:
        """Record and log a crash."""
        if not self.stopping.is_set():
            self._crashes.append(f"{name}: {type(error).__name__}: {error}")
            logger.error("%s crashed", name, exc_info=error)


class _CrashRecorder:
    def __init__(self, name: str, supervisor: ThreadSupervisor) -> None:
        self._name = name
        self._supervisor = supervisor

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None:
            self._supervisor.record_crash(self._name, error)
        return True


class Timer:
    """Runs callbacks in its own thread at their time; a callback must be short or start a thread."""

    def __init__(self, supervisor: ThreadSupervisor) -> None:
        self._supervisor = supervisor
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Schedule a callback."""
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), callback))
            self._changed.notify()

    def run(self) -> None:
        """Run callbacks until the cloud stops."""
        while not self._supervisor.stopping.is_set():
            work = self._next_due()
            if work is not None:
                work()

    def stop(self) -> None:
        """Wake the thread, which then ends."""
        with self._changed:
            self._changed.notify()

    def _next_due(self) -> Callable[[], None] | None:
        with self._changed:
            wait = self._due[0][0] - time.monotonic() if self._due else None
            if wait is None or wait > 0:
                self._changed.wait(wait)
                return None
            return heapq.heappop(self._due)[2]
