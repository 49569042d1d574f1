"""Thumbnails behind signed links that are valid for five minutes.

A thumbnail is computed from the photo for each request and not stored, so it disappears with the photo.
"""

import base64
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.api.operation import Call, FileResponse, operation
from functions.api.problems import NotAcceptable, NotFound, TooManyRequests, UnprocessableContent
from functions.runtime.container import container
from vigil.access.roles import Caller
from vigil.access.signing import InvalidSignature, sign_value, verify_value

LINK_LIFETIME = timedelta(minutes=5)
JPEG_TYPE = "image/jpeg"
THUMBNAIL_HEADERS = {"Cache-Control": "private, max-age=300"}
SIGNING_PURPOSE = "thumbnail"


@dataclass(frozen=True, slots=True)
class ThumbnailLink:
    """The contents of a signed link.

    sighting  number of the sighting in the drop; None for the whole photo
    """

    caller: Caller
    drop: str
    sighting: int | None
    expires_at: datetime


def thumbnail_url(call: Call, drop: str, sighting: int | None = None) -> str:
    """A signed link to the thumbnail of a drop or sighting; its use is audited for the caller."""
    until = int((datetime.now(UTC) + LINK_LIFETIME).timestamp())
    claims = [call.caller.id, call.caller.role, drop, sighting, until]
    token = sign_value(claims, purpose=SIGNING_PURPOSE, key=container().signing_key)
    return f"{call.base_url}/v1/thumbnails/{token}"


@operation(
    "GET",
    "/v1/thumbnails/{thumbnail}",
    role=None,
    bound_tokens="allowed",
    media_type=JPEG_TYPE,
    problems=(NotAcceptable, UnprocessableContent, TooManyRequests),
)
def get_thumbnail(call: Call) -> FileResponse:
    """Get a thumbnail of a drop or of a sighting.

    A JPEG of at most 320 pixels without metadata. The signed link is the permission; no token is needed.
    """
    now = datetime.now(UTC)
    link = _parse_link(call.path["thumbnail"])
    if link.expires_at < now:
        raise NotFound("the link has expired; read the drop again to get a new one")
    if not call.accepts_images:
        raise NotAcceptable("the first media type in Accept must be an image type")
    wait_s = container().rate_limiter.acquire(link.caller.id, now)
    if wait_s:
        raise TooManyRequests(retry_s=wait_s)
    payload = _thumbnail_request(link)
    about = {"drop": link.drop} | ({} if link.sighting is None else {"sighting": str(link.sighting)})
    container().audit_log.append(link.caller, "get-thumbnail", about, now)
    response = container().lambda_functions.invoke(container().settings.thumbnail_function, payload)
    if "jpeg" not in response:
        raise _error_problem(response["error"])
    return FileResponse(base64.b64decode(response["jpeg"]), JPEG_TYPE, THUMBNAIL_HEADERS)


def _parse_link(text: str) -> ThumbnailLink:
    try:
        claims = verify_value(text, purpose=SIGNING_PURPOSE, key=container().signing_key)
    except InvalidSignature as error:
        raise NotFound from error
    caller, role, drop, sighting, until = claims
    return ThumbnailLink(Caller(caller, role), drop, sighting, datetime.fromtimestamp(until, UTC))


def _thumbnail_request(link: ThumbnailLink) -> dict[str, Any]:
    """Payload for the thumbnail function. Raises NotFound if the photo or the sighting is deleted."""
    drop = container().drop_reader.find_drop(link.drop)
    if drop is None or drop.s3_object is None:
        raise NotFound
    payload: dict[str, Any] = {"model": drop.model, "photo": asdict(drop.s3_object)}
    if link.sighting is None:
        return payload
    sighting = container().drop_reader.find_sighting(link.drop, link.sighting)
    if sighting is None:
        raise NotFound
    return payload | ({"box_px": list(sighting.box_px)} if sighting.box_px is not None else {})


def _error_problem(error: dict[str, str]) -> NotFound | UnprocessableContent:
    if error["reason"] == "object-not-found":
        return NotFound("the photo is deleted")
    return UnprocessableContent(error["message"], reason=error["reason"])
