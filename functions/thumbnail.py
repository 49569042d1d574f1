"""Direct invocation → a small JPEG of a stored photo; it is not stored."""

import base64
from collections.abc import Mapping
from typing import Any

from chalice import Blueprint

from functions.runtime.container import container
from functions.runtime.handler import lambda_handler
from vigil.drops.messages import S3Object
from vigil.errors import Rejected
from vigil.inference.images import create_thumbnail

trigger = Blueprint(__name__)


@trigger.lambda_function(name="thumbnail")
@lambda_handler
def on_thumbnail(event: Mapping[str, Any], _context: Any) -> dict[str, Any]:
    """{"model", "photo": {"bucket", "key", "version"}, "box_px"?} → {"jpeg": base64} or {"error"}."""
    limits = container().input_limits(str(event["model"]))
    try:
        data = container().input_reader.fetch(S3Object(**event["photo"]), limits.max_bytes)
        jpeg = create_thumbnail(data, limits, event.get("box_px"))
    except Rejected as fault:
        return {"error": {"reason": fault.reason, "message": str(fault)}}
    return {"jpeg": base64.b64encode(jpeg).decode()}
