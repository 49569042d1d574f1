"""Uploads, drops and labels of drops."""

import mimetypes
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cloud.dynamodb.erasure import ERASED_LABEL
from functions.api.operation import Call, operation
from functions.api.pagination import Row, read_page, row_filter
from functions.api.problems import Forbidden, NotFound, UnprocessableContent
from functions.api.resources.thumbnails import thumbnail_url
from functions.api.schemas.drops import (
    DropList,
    DropOut,
    DropsQuery,
    LabelOut,
    LabelRequest,
    NewUpload,
    SightingOut,
    UploadForm,
    UploadStatus,
    WaitQuery,
)
from functions.runtime.container import container
from vigil.access.signing import InvalidSignature, sign_value, verify_value
from vigil.drops.messages import S3Object, parse_object_key
from vigil.training import labels
from vigil.training.labels import CannotLabel

UPLOAD_FORM_TTL_S = 300
POLL_INTERVAL_S = 0.1
"""Time between two reads while a request waits for the end of a drop."""


@operation(
    "POST",
    "/v1/uploads",
    role="operator",
    status=201,
    example={"source": "door-3", "suffix": ".jpg"},
    problems=(UnprocessableContent,),
)
def create_upload(call: Call, new: NewUpload) -> UploadForm:
    """Create a form that uploads one photo.

    S3 accepts one file of the declared type with this form, within five minutes.
    """
    if not call.caller.can_access_source(new.source):
        raise Forbidden(f"the token cannot access the source {new.source}")
    models = container().model_cards
    card = models.get(new.model)
    if card is None:
        raise UnprocessableContent(f"unknown model; use {', '.join(models)}", reason="unknown-model")
    if new.suffix not in card.suffixes:
        accepted = ", ".join(card.suffixes)
        raise UnprocessableContent(f"{new.model} accepts {accepted}, not {new.suffix}", reason="wrong-type")
    key = f"{new.lane}/{new.model}/{new.source}/{secrets.token_hex(16)}{new.suffix}"
    media_type = mimetypes.guess_type(f"a{new.suffix}")[0] or "application/octet-stream"
    form = container().presigned_photos.upload_form(
        key, content_type=media_type, max_bytes=card.max_bytes, expires_s=UPLOAD_FORM_TTL_S
    )
    return UploadForm(
        id=sign_value(key, purpose="upload", key=container().signing_key),
        url=form.url,
        fields=form.fields,
        max_bytes=card.max_bytes,
        expires_at=datetime.now(UTC) + timedelta(seconds=UPLOAD_FORM_TTL_S),
    )


@operation("GET", "/v1/uploads/{upload}", role="operator", example={"wait": 20})
def get_upload(call: Call, query: WaitQuery) -> UploadStatus:
    """Get the drop of an upload.

    Without `drop` the file has not arrived yet. With `wait`, the answer comes when the drop has ended.
    """
    try:
        key = str(verify_value(call.path["upload"], purpose="upload", key=container().signing_key))
    except InvalidSignature as error:
        raise NotFound from error
    if not call.caller.can_access_source(parse_object_key(key)[1]):
        raise NotFound
    uri = f"s3://{container().presigned_photos.bucket}/{key}"
    row = _wait_until_done(lambda: _latest_drop_of(uri), query.wait)
    if row is None:
        return UploadStatus(id=call.path["upload"])
    return UploadStatus(id=call.path["upload"], drop=row["drop_id"], state=row["state"])


@operation("GET", "/v1/drops/{drop}", role="viewer", audited=True, example={"wait": 1})
def get_drop(call: Call, query: WaitQuery) -> DropOut:
    """Get a drop with its sightings.

    With `wait`, the answer comes when the drop has ended.
    """
    drop = call.path["drop"]
    row = _wait_until_done(lambda: container().drop_reader.drop_with_sightings(drop), query.wait)
    if row is None or not call.caller.can_access_source(row["source"]):
        raise NotFound
    sightings = [to_sighting(one, call) for one in row["sighting_rows"]]
    if "s3_object" not in row:
        sightings = [one.model_copy(update={"thumbnail_url": None}) for one in sightings]
    return _to_drop(row, call, photo=_photo_url(row), sightings=sightings)


@operation("GET", "/v1/drops", role="viewer", example={"state": "done", "limit": 10})
def list_drops(call: Call, query: DropsQuery) -> DropList:
    """List drops, newest first."""
    matches = row_filter(query, "source", "state", "lane", "model")
    page = read_page(call, query, "drops", matches, query.since)
    return DropList(items=[_to_drop(row, call) for row in page.rows], next=page.next)


def _wait_until_done(load: Callable[[], Row | None], wait_s: int) -> Row | None:
    """Load the row until the drop has ended or the time is over."""
    deadline_s = time.monotonic() + wait_s
    while True:
        row = load()
        if (row and row["state"] != "claimed") or time.monotonic() >= deadline_s:
            return row
        time.sleep(POLL_INTERVAL_S)


def _to_drop(
    row: Row, call: Call, *, photo: str | None = None, sightings: list[SightingOut] | None = None
) -> DropOut:
    return DropOut(
        id=row["drop_id"],
        state=row["state"],
        lane=row["lane"],
        model=row["model"],
        source=row["source"],
        at=row["occurred_at"],
        completed_at=row.get("completed_at") or None,
        photo_url=photo,
        thumbnail_url=thumbnail_url(call, row["drop_id"])
        if "s3_object" in row and "size_px" in row
        else None,
        sightings=sightings,
        **{name: row[name] for name in _UNCHANGED_FIELDS if row.get(name) not in (None, "")},
    )


_UNCHANGED_FIELDS = (
    "attempts",
    "stage",
    "release",
    "reason",
    "message",
    "size_px",
    "found",
    "alerts",
    "times_ms",
    "notes",
)


def to_sighting(row: Row, call: Call) -> SightingOut:
    number = int(str(row["sk"]).removeprefix("sighting#"))
    erased = row["label"] == ERASED_LABEL
    return SightingOut(
        id=f"{row['drop_id']}-{number}",
        drop=row["drop_id"],
        source=row["source"],
        model=row["model"],
        at=row["occurred_at"],
        status=row["status"],
        person=row.get("subject") if str(row.get("subject", "")).startswith("p-") else None,
        label=row["label"],
        score=row.get("score"),
        threshold=row.get("threshold"),
        box_px=row.get("box_px"),
        quality=row.get("quality"),
        quality_issues=tuple(row.get("quality_issues", ())),
        tags=tuple(sorted(row.get("tags", ()))),
        subject_erased=erased,
        thumbnail_url=thumbnail_url(call, row["drop_id"], number) if "box_px" in row and not erased else None,
    )


def _latest_drop_of(uri: str) -> Row | None:
    drops = container().drop_reader.drops_of_object(uri)
    return container().drop_reader.find_drop(drops[0]) if drops else None


def _photo_url(row: Row) -> str | None:
    if "s3_object" not in row:
        return None
    return container().presigned_photos.download_url(S3Object(**row["s3_object"]))


@operation(
    "PUT",
    "/v1/drops/{drop}/label",
    role="reviewer",
    audited=True,
    example={"label": "7"},
    problems=(UnprocessableContent,),
)
def label_drop(call: Call, new: LabelRequest) -> LabelOut:
    """Label a drop.

    The label is used when the next dataset is built. A later label replaces an earlier one.
    """
    drop = call.path["drop"]
    row = container().drop_reader.find_drop(drop)
    if row is None or not call.caller.can_access_source(row["source"]):
        raise NotFound
    try:
        saved = labels.label_drop(
            drop,
            new.label,
            call.caller.id,
            datetime.now(UTC),
            drops=container().drop_reader,
            labels=container().labels,
        )
    except CannotLabel as error:
        raise UnprocessableContent(str(error), reason="not-labellable") from error
    return LabelOut(drop=saved.drop, label=saved.label)
