"""A request to leave (SIGTERM: a stop, or spot capacity taken back), noticed between two steps."""

import signal
from types import FrameType

from vigil.errors import VigilError


class Interrupted(VigilError):
    """Learning was asked to stop and has left a checkpoint; the next run goes on from there."""


class Notice:
    """Whether a request to leave has come."""

    def __init__(self) -> None:
        self.given = False

    def listen(self) -> None:
        """From now on SIGTERM only sets the flag."""
        signal.signal(signal.SIGTERM, self._take)

    def _take(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - what a handler is given
        self.given = True
