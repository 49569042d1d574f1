"""Start script of child processes: it makes the process end with its parent, then runs a module.

usage: boot.py <parent pid> <module> [argument ...]; it uses the standard library only.
"""

import ctypes
import datetime
import os
import runpy
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1
_REAL_DATETIME = datetime.datetime


def _exit_with_parent(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_wait_for_parent_exit, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os._exit(1)


def _wait_for_parent_exit(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.killpg(0, signal.SIGKILL)


class _DatetimeMeta(type):
    """Makes every datetime an instance of the skewed class."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _REAL_DATETIME)


class _SkewedDatetime(_REAL_DATETIME, metaclass=_DatetimeMeta):
    """datetime with a skewed clock."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:  # type: ignore[override]
        return _REAL_DATETIME.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls) -> datetime.datetime:  # type: ignore[override]
        return _REAL_DATETIME.fromtimestamp(time.time(), datetime.UTC).replace(tzinfo=None)


def _skew_clock(seconds: float) -> None:
    """Skew the clock of this process before any module reads it."""
    real_time = time.time
    time.time = lambda: real_time() + seconds
    datetime.datetime = _SkewedDatetime  # type: ignore[misc]


if __name__ == "__main__":
    _exit_with_parent(int(sys.argv[1]))
    os.environ["AWS_SDK_UA_APP_ID"] = str(os.getpid())
    if float(os.environ.get("LOCAL_CLOUD_CLOCK_SKEW_S", "0")):
        _skew_clock(float(os.environ["LOCAL_CLOUD_CLOCK_SKEW_S"]))
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
