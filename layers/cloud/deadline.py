"""No call to AWS, and no retry of one, begins when its invocation is about to end."""

import time
from typing import Any

from botocore.exceptions import BotoCoreError

MARGIN_S = 0.4
"""What is left to the invocation for answering its queue."""


class OutOfTime(BotoCoreError):  # type: ignore[misc]  # botocore ships no types
    """The invocation is nearly over; the seam makes this a Transient, as of any failure of AWS."""

    fmt = "the invocation has no time left for it"


class Deadline:
    """When the present invocation ends; at no time, while none was begun.

    botocore asks before each attempt, the first one included, so that its own patience (attempts,
    back-off) is cut short by ours; `asked` counts how often.
    """

    def __init__(self) -> None:
        self._ends_s = float("inf")
        self.asked = 0

    def begin(self, remaining_s: float) -> None:
        """An invocation begins, that may last so long."""
        self._ends_s = time.monotonic() + remaining_s - MARGIN_S

    def watch(self, client: Any) -> Any:
        """The client, held to the deadline."""
        client.meta.events.register("before-send", self._ask)
        return client

    def _ask(self, **_: Any) -> None:
        self.asked += 1
        if time.monotonic() >= self._ends_s:
            raise OutOfTime
