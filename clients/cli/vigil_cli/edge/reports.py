"""Reports to the API that a camera works; a camera without them raises the alarm camera-silent."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from vigil.video.frames import Frame
from vigil_client import ApiUnreachable, Problem, Vigil

REPORT_INTERVAL_S = 30.0


@dataclass
class CameraReporter:
    """Reports one camera; a report that does not arrive is left out, because the next one says the same.

    queued  how many files wait for their upload
    """

    api: Vigil
    source: str
    queued: Callable[[], int]
    clock: Callable[[], float] = time.monotonic
    _frame_s: float | None = field(default=None, init=False)
    _reported_s: float = field(default=float("-inf"), init=False)

    def observe(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The same frames; each shows that the camera sends some."""
        for frame in frames:
            self._frame_s = self.clock()
            yield frame

    def report_if_due(self) -> None:
        if self.clock() - self._reported_s >= REPORT_INTERVAL_S:
            self.report("running")

    def report(self, state: Literal["running", "stopped"]) -> None:
        self._reported_s = self.clock()
        try:
            age_s = None if self._frame_s is None else self.clock() - self._frame_s
            self.api.report_camera(self.source, state=state, frame_age_s=age_s, queued=self.queued())
        except (Problem, ApiUnreachable, OSError):
            return
