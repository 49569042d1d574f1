"""A worker's stdout and stderr → lines, each with the request during which it was written."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable


class Output:
    """The reading end of a worker's pipe.

    `drain` may be called by anyone: whoever finishes an invocation takes what was written before the
    answer, so that no line of a request comes after its END.
    """

    def __init__(self, keep: Callable[[list[str]], None]) -> None:
        self._keep = keep
        self._rest = b""
        self._lock = threading.Lock()
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._open = True

    def read(self) -> None:
        """Keep lines until the worker and all that it started have closed the pipe."""
        while self._open:
            select.select([self._reading], [], [])
            self.drain()
        os.close(self._reading)  # only here: no one else can know that nobody waits for it any more

    def drain(self) -> None:
        """Keep everything that is in the pipe now."""
        with self._lock:
            while self._open and self._take():
                pass

    def _take(self) -> bool:
        try:
            data = os.read(self._reading, 65536)
        except BlockingIOError:
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        if not data:
            lines, self._rest = [part for part in (*lines, self._rest) if part], b""
            self._open = False
        if lines:
            self._keep([line.decode(errors="replace").rstrip("\r") for line in lines])
        return self._open
