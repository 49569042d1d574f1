"""Schedule → a known photograph is dropped, the result of the previous one and the cameras are checked."""

from datetime import datetime
from typing import Any

from chalice import Blueprint, Rate

from cloud.dynamodb.cameras import DynamoCameras
from functions.runtime.container import Container, container
from functions.runtime.handler import lambda_handler
from functions.runtime.settings import CANARY_PHOTO
from vigil.drops.messages import CANARY_SOURCE, compute_drop_id
from vigil.reliability.canary import (
    CanaryCheck,
    CanaryRun,
    ExpectedDetections,
    check_canary,
)

trigger = Blueprint(__name__)

EXPECTED_DETECTIONS = ExpectedDetections(((345, 95, 568, 432),))
"""The face in the photograph, from models/faces/golden.toml."""


@trigger.schedule(Rate(5, unit=Rate.MINUTES), name="canary")
@lambda_handler
def on_canary(event: Any) -> dict[str, Any]:  # noqa: ARG001 - a schedule's event has no content
    """{"problem", "latency_ms"} of the drop that the previous run started."""
    c = container()
    previous_run = c.canary_probe.last_run()
    check = (
        check_canary(previous_run, c.canary_probe.read_result(previous_run), EXPECTED_DETECTIONS)
        if previous_run
        else CanaryCheck("", None)
    )
    at = c.clock()
    uploaded = c.canary_probe.store_photo(
        f"live/faces/{CANARY_SOURCE}/{at:%Y%m%dT%H%M%S}.jpg", CANARY_PHOTO.read_bytes()
    )
    c.canary_probe.save_run(
        CanaryRun(compute_drop_id(uploaded.bucket, uploaded.key, uploaded.version, "faces"), at)
    )
    c.metrics.count("CanaryFailed", int(bool(check.problem)))
    if check.latency_ms is not None:
        c.metrics.ms("CanaryMs", check.latency_ms)
    _count_silent_cameras(c, at)
    c.metrics.flush()
    c.logger.info("canary", extra={"problem": check.problem, "latency_ms": check.latency_ms})
    return {"problem": check.problem, "latency_ms": check.latency_ms}


def _count_silent_cameras(c: Container, now: datetime) -> None:
    """The number of cameras whose reports have ended, for the alarm camera-silent."""
    reports = DynamoCameras(c.dynamodb, c.settings.records_table).list_reports()
    silent = [report.source for report in reports if report.state_at(now) == "silent"]
    c.metrics.count("SilentCameras", len(silent))
    if silent:
        c.logger.warning("camera-silent", extra={"sources": silent})
