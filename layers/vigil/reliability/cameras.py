"""Which cameras are silent: those that no longer report themselves, or send no more frames."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

SILENT_AFTER = timedelta(minutes=3)
"""A camera reports itself every half a minute."""

CameraState = Literal["running", "stopped", "silent"]


@dataclass(frozen=True, slots=True)
class CameraReport:
    """The last report of the camera of a source.

    state     stopped if it was stopped on purpose
    frame_at  when the last frame came; None if none did, or for a folder
    queued    number of files that wait for their upload
    """

    source: str
    state: Literal["running", "stopped"]
    reported_at: datetime
    frame_at: datetime | None = None
    queued: int = 0

    def state_at(self, now: datetime) -> CameraState:
        if self.state == "stopped":
            return "stopped"
        last = min(self.reported_at, self.frame_at) if self.frame_at is not None else self.reported_at
        return "silent" if now - last > SILENT_AFTER else "running"
