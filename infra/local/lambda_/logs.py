"""Log lines of functions: one file for each function, and the newest requests in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path

_MAX_REQUESTS = 2000


class FunctionLogs:
    """Appends lines to the file of their function; `on_lines` receives all lines."""

    def __init__(self, folder: Path, on_lines: Callable[[list[str]], None] = lambda _: None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._on_lines = on_lines
        self._folder = folder
        self._requests: OrderedDict[str, list[str]] = OrderedDict()
        self._lock = threading.Lock()

    def write(self, function: str, lines: list[str], request_id: str | None = None) -> None:
        """Append lines of a function, and of a request if there is one."""
        with self._lock, self._path(function).open("a", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))
            if request_id is not None:
                self._index_lines(request_id, lines)
        self._on_lines(lines)

    def lines_of_request(self, request_id: str) -> tuple[str, ...]:
        """Return the lines of one invocation, from START to REPORT."""
        with self._lock:
            return tuple(self._requests.get(request_id, ()))

    def lines_of_function(self, function: str) -> Iterator[str]:
        """Yield the lines that were written until now."""
        path = self._path(function)
        if path.is_file():
            with path.open(encoding="utf-8") as file:
                yield from (line.rstrip("\n") for line in file)

    def _path(self, function: str) -> Path:
        return self._folder / f"{function}.log"

    def _index_lines(self, request_id: str, lines: list[str]) -> None:
        self._requests.setdefault(request_id, []).extend(lines)
        while len(self._requests) > _MAX_REQUESTS:
            self._requests.popitem(last=False)
