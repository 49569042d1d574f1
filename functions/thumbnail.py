"""Direct invocation → a small JPEG of a dropped photo, made anew each time and kept nowhere."""

import base64
from collections.abc import Mapping
from typing import Any

from chalice import Blueprint

from functions.asking import darkroom
from functions.bounded import bounded
from vigil.drops import Object
from vigil.errors import Rejected

trigger = Blueprint(__name__)


@trigger.lambda_function(name="thumbnail")
@bounded
def on_thumbnail(event: Mapping[str, Any], _context: Any) -> dict[str, Any]:
    """{"model", "photo": {"bucket", "key", "version"}, "box_px"?} → {"jpeg": base64}, or why not."""
    room = darkroom()
    accepts = room.accepts(str(event["model"]))
    try:
        data = room.objects.fetch(Object(**event["photo"]), accepts.max_bytes)
        made = room.thumbnail(data, accepts, event.get("box_px"))
    except Rejected as fault:
        return {"error": {"reason": fault.reason, "message": str(fault)}}
    return {"jpeg": base64.b64encode(made).decode()}
