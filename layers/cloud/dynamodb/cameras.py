"""The reports of cameras, one row for each source, deleted a week after the last report."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cloud.dynamodb.attributes import to_item
from cloud.dynamodb.queries import Table
from cloud.dynamodb.schema import CAMERA
from vigil.reliability.cameras import CameraReport


class DynamoCameras:
    """The rows CAMERA of schema.py."""

    def __init__(self, client: Any, table: str) -> None:
        self._rows = Table(client, table)

    def save(self, report: CameraReport) -> None:
        row = {
            "source": report.source,
            "camera_state": report.state,
            "reported_at": report.reported_at,
            "frame_at": report.frame_at,
            "queued": report.queued,
            "expires": CAMERA.expires(report.reported_at),
        }
        self._rows.put(CAMERA.key(source=report.source) | to_item(row), "save camera report")

    def list_reports(self) -> Sequence[CameraReport]:
        """The last report of each camera, by source."""
        rows = self._rows.partition(CAMERA.partition(), "list cameras")
        return [
            CameraReport(
                row["source"],
                row["camera_state"],
                datetime.fromisoformat(row["reported_at"]),
                datetime.fromisoformat(row["frame_at"]) if "frame_at" in row else None,
                row["queued"],
            )
            for row in rows
        ]
