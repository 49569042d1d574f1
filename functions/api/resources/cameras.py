"""Cameras that report themselves; the audit log would consist of their reports, so it contains none."""

from datetime import timedelta

from cloud.dynamodb.cameras import DynamoCameras
from functions.api.operation import Call, operation
from functions.api.problems import UnprocessableContent
from functions.api.resources.drops import require_source
from functions.api.schemas.cameras import CameraList, CameraOut, CameraReportRequest
from functions.runtime.container import container
from vigil.reliability.cameras import CameraReport


@operation(
    "PUT",
    "/v1/cameras/{source}",
    role="operator",
    bound_tokens="limited",
    example={"state": "running", "queued": 0},
    problems=(UnprocessableContent,),
)
def report_camera(call: Call, report: CameraReportRequest) -> CameraOut:
    """Report that a camera works, or was stopped on purpose.

    A camera that reports nothing for three minutes is silent, which raises an alarm for at most a week.
    """
    source = call.path["source"]
    require_source(call, source)
    now, age_s = container().clock(), report.frame_age_s
    frame_at = now - timedelta(seconds=age_s) if age_s is not None else None
    saved = CameraReport(source, report.state, now, frame_at, report.queued)
    _cameras().save(saved)
    return _to_camera(saved)


@operation("GET", "/v1/cameras", role="viewer", bound_tokens="limited")
def list_cameras(call: Call) -> CameraList:
    """List the cameras that reported themselves within the last week."""
    reports = _cameras().list_reports()
    return CameraList(items=[_to_camera(one) for one in reports if call.caller.can_access_source(one.source)])


def _cameras() -> DynamoCameras:
    return DynamoCameras(container().dynamodb, container().settings.records_table)


def _to_camera(report: CameraReport) -> CameraOut:
    return CameraOut(
        source=report.source,
        state=report.state_at(container().clock()),
        reported_at=report.reported_at,
        frame_at=report.frame_at,
        queued=report.queued,
    )
