"""Port ClipProgressStore: how far each clip is, beside the record of its drop."""

from datetime import datetime, timedelta
from typing import Any

from cloud.dynamodb.attributes import to_item
from cloud.dynamodb.queries import Table
from cloud.dynamodb.schema import CLIP
from vigil.video.clip import ClipProgress
from vigil.video.selection import SelectionState


class DynamoClips:
    """The rows CLIP of schema.py."""

    def __init__(self, client: Any, table: str, *, retention: timedelta) -> None:
        self._rows, self._retention = Table(client, table), retention

    def load(self, clip: str) -> ClipProgress:
        row = self._rows.get(CLIP.key(drop=clip), "read clip")
        if row is None:
            return ClipProgress()
        selection = SelectionState(float(row["position_s"]), row["last_hash"], float(row["last_s"]))
        return ClipProgress(selection, row["stored_frames"], row["attempt"])

    def save(self, clip: str, progress: ClipProgress, now: datetime) -> None:
        row = {
            "drop_id": clip,
            "position_s": progress.selection.position_s,
            "last_hash": progress.selection.last_hash,
            "last_s": progress.selection.last_s,
            "stored_frames": progress.frames,
            "attempt": progress.attempt,
            "expires": int((now + self._retention).timestamp()),
        }
        self._rows.put(CLIP.key(drop=clip) | to_item(row), "save clip")
