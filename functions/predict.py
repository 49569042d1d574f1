"""Direct invocation → what a model sees in one picture, now; nothing is stored."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from chalice import Blueprint

from functions.asking import Viewer, strangers, viewer
from functions.bounded import bounded
from functions.damage import replaced_if_damaged
from vigil.drops import Object
from vigil.errors import Rejected
from vigil.flow.glance import Glance, glance
from vigil.flow.search import search

trigger = Blueprint(__name__)


@trigger.lambda_function(name="predict")
@bounded
def on_predict(event: Mapping[str, Any], _context: Any) -> dict[str, Any]:
    """{"model", "data": base64} or {"model", "object": {"key", "version"?}} → the scene, or why none."""
    eyes = viewer()
    if "search" in event:
        return _searched(event, eyes)
    if "object" in event:
        where = event["object"]
        picture: Object | bytes = Object(eyes.bucket, str(where["key"]), str(where.get("version") or ""))
    else:
        picture = base64.b64decode(event["data"])
    try:
        with replaced_if_damaged():
            return _told(glance(str(event["model"]), picture, eyes.models, eyes.objects))
    except Rejected as fault:
        return {"error": {"reason": fault.reason, "message": str(fault)}}


def _searched(event: Mapping[str, Any], eyes: Viewer) -> dict[str, Any]:
    """{"model", "data", "search": {"days"}} → {"likenesses": [...]}, most alike first."""
    since = datetime.now(UTC) - timedelta(days=int(event["search"]["days"]))
    try:
        found = search(
            base64.b64decode(event["data"]),
            eyes.models.get(str(event["model"])),
            strangers().remembered(since=since),
        )
    except Rejected as fault:
        return {"error": {"reason": fault.reason, "message": str(fault)}}
    return {
        "likenesses": [
            {
                "sighting": f"{one.seen.drop}-{one.seen.number}",
                "drop": one.seen.drop,
                "source": one.seen.source,
                "at": one.seen.at.isoformat(),
                "score": round(one.score, 4),
            }
            for one in found
        ]
    }


def _told(seen: Glance) -> dict[str, Any]:
    return {
        "release": seen.release,
        "found": seen.scene.found,
        "size_px": seen.scene.size_px,
        "times_ms": dict(seen.times_ms),
        "sightings": [
            {
                "label": one.label,
                "status": one.status,
                "score": one.score,
                "threshold": one.threshold,
                "box_px": one.box_px,
                "quality": one.quality,
                "tags": sorted(one.tags),
                "faults": one.faults,
            }
            for one in seen.scene.sightings
        ],
    }
