"""Direct invocation → a small JPEG of a dropped photo, made anew each time and kept nowhere."""

import base64
from collections.abc import Mapping
from typing import Any

from chalice import Blueprint

from functions.runtime.handler import lambda_handler
from functions.runtime.wiring_direct import thumbnails
from vigil.drops.messages import S3Object
from vigil.errors import Rejected

trigger = Blueprint(__name__)


@trigger.lambda_function(name="thumbnail")
@lambda_handler
def on_thumbnail(event: Mapping[str, Any], _context: Any) -> dict[str, Any]:
    """{"model", "photo": {"bucket", "key", "version"}, "box_px"?} → {"jpeg": base64}, or why not."""
    ports = thumbnails()
    accepts = ports.input_limits(str(event["model"]))
    try:
        data = ports.objects.fetch(S3Object(**event["photo"]), accepts.max_bytes)
        jpeg = ports.make_thumbnail(data, accepts, event.get("box_px"))
    except Rejected as fault:
        return {"error": {"reason": fault.reason, "message": str(fault)}}
    return {"jpeg": base64.b64encode(jpeg).decode()}
