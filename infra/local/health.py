"""The cloud's own threads: started here, and a crash of one is written down, never lost."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import TracebackType

from infra.local.errors import CloudFault

logger = logging.getLogger("vigil.local")


class Health:
    """Starts threads and remembers how they failed; after `stop` failures are expected and forgotten."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._faults: list[str] = []

    @property
    def faults(self) -> tuple[str, ...]:
        """One sentence for each thread that crashed."""
        return tuple(self._faults)

    def start(self, name: str, work: Callable[[], None]) -> threading.Thread:
        """Run `work` in a thread of its own."""
        thread = threading.Thread(target=self.watch, args=(name, work), name=name, daemon=True)
        thread.start()
        return thread

    def watch(self, name: str, work: Callable[[], None]) -> None:
        """Run `work` here, keeping whatever escapes from it as a fault."""
        with _Witness(name, self):
            work()

    def check(self) -> None:
        """Raise what went wrong so far."""
        if self._faults:
            raise CloudFault("; ".join(self._faults))

    def blame(self, name: str, error: BaseException) -> None:
        """Keep and log one failure."""
        if not self.stopping.is_set():
            self._faults.append(f"{name}: {type(error).__name__}: {error}")
            logger.error("%s crashed", name, exc_info=error)


class _Witness:
    def __init__(self, name: str, health: Health) -> None:
        self._name = name
        self._health = health

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None:
            self._health.blame(self._name, error)
        return True
