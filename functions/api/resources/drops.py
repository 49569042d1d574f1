"""Uploads, drops and labels of drops."""

import mimetypes
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeVar

from cloud.dynamodb.drops import DropView, SightingView
from functions.api.operation import Call, operation
from functions.api.pagination import read_page, row_filter
from functions.api.problems import Forbidden, NotFound, UnprocessableContent
from functions.api.resources.people import find_names
from functions.api.resources.thumbnails import thumbnail_url
from functions.api.schemas.drops import (
    DropActionOut,
    DropList,
    DropOut,
    DropsQuery,
    FrameOut,
    LabelOut,
    LabelRequest,
    NewUpload,
    SightingOut,
    UploadForm,
    UploadStatus,
    WaitQuery,
)
from functions.api.schemas.predict import ObjectReference
from functions.runtime.container import container
from vigil.access.signing import InvalidSignature, sign_value, verify_value
from vigil.drops.messages import (
    CANARY_CHECK_SOURCE,
    CANARY_SOURCE,
    CLIP_MODEL,
    MAX_CLIP_BYTES,
    compute_drop_id,
    parse_object_key,
)
from vigil.errors import ObjectNotFound
from vigil.people.consent import is_person_id
from vigil.training import labels
from vigil.training.labels import CannotLabel

Found = TypeVar("Found")

UPLOAD_FORM_TTL_S = 300
MIN_POLL_INTERVAL_S, MAX_POLL_INTERVAL_S = 0.1, 1.0
"""Time between two reads while a request waits for the end of a drop; it doubles with each read."""


def require_source(call: Call, source: str) -> None:
    """Raises Forbidden for a source of others, UnprocessableContent for a name that is reserved."""
    if not call.caller.can_access_source(source):
        raise Forbidden(f"the token cannot access the source {source}")
    if source == CANARY_SOURCE:
        raise UnprocessableContent(
            f"the source {source} is reserved for the canary function; use {CANARY_CHECK_SOURCE} to check by"
            " hand, or another name",
            reason="reserved-source",
        )


@operation(
    "POST",
    "/v1/uploads",
    role="operator",
    audited=True,
    bound_tokens="limited",
    status=201,
    example={"source": "door-3", "suffix": ".jpg"},
    problems=(UnprocessableContent,),
)
def create_upload(call: Call, new: NewUpload) -> UploadForm:
    """Create a form that uploads one photo, or one clip with the model `clips`.

    S3 accepts one file of the declared type with this form, within five minutes.
    """
    require_source(call, new.source)
    max_bytes = _max_upload_bytes(new.model)
    key = f"{new.lane}/{new.model}/{new.source}/{secrets.token_hex(16)}{new.suffix}"
    media_type = mimetypes.guess_type(f"a{new.suffix}")[0] or "application/octet-stream"
    form = container().presigned_photos.upload_form(
        key, content_type=media_type, max_bytes=max_bytes, expires_s=UPLOAD_FORM_TTL_S
    )
    return UploadForm(
        id=sign_value(key, purpose="upload", key=container().signing_key),
        url=form.url,
        fields=form.fields,
        max_bytes=max_bytes,
        expires_at=datetime.now(UTC) + timedelta(seconds=UPLOAD_FORM_TTL_S),
    )


def _max_upload_bytes(model: str) -> int:
    """The size of the largest file for a model. Raises UnprocessableContent."""
    if model == CLIP_MODEL:
        return MAX_CLIP_BYTES
    models = container().model_cards
    if model not in models:
        known = ", ".join([*models, CLIP_MODEL])
        raise UnprocessableContent(f"unknown model; use {known}", reason="unknown-model")
    return models[model].max_bytes


@operation("GET", "/v1/uploads/{upload}", role="operator", bound_tokens="limited", example={"wait": 20})
def get_upload(call: Call, query: WaitQuery) -> UploadStatus:
    """Get the drop of an upload.

    Without `drop` the file has not arrived yet; without `state` no worker has claimed the drop. With `wait`,
    the answer comes when the drop has ended.
    """
    try:
        key = str(verify_value(call.path["upload"], purpose="upload", key=container().signing_key))
    except InvalidSignature as error:
        raise NotFound from error
    if not call.caller.can_access_source(parse_object_key(key)[1]):
        raise NotFound
    uri = f"s3://{container().presigned_photos.bucket}/{key}"
    drop = _poll(lambda: _latest_drop_of(uri), lambda one: one.state != "claimed", query.wait)
    if drop is None:
        return UploadStatus(id=call.path["upload"], drop=_stored_drop_id(key))
    return UploadStatus(id=call.path["upload"], drop=drop.drop_id, state=drop.state)


@operation(
    "GET", "/v1/drops/{drop}", role="viewer", bound_tokens="limited", audited=True, example={"wait": 1}
)
def get_drop(call: Call, query: WaitQuery) -> DropOut:
    """Get a drop with its sightings and the actions on its messages.

    With `wait`, the answer comes when the drop has ended.
    """
    found = _poll(
        lambda: container().drop_reader.find_drop_details(call.path["drop"]),
        lambda one: one.drop.state != "claimed",
        query.wait,
    )
    if found is None or not call.caller.can_access_source(found.drop.source):
        raise NotFound
    sightings = to_sightings(found.sightings, call)
    if found.drop.s3_object is None:
        sightings = [one.model_copy(update={"thumbnail_url": None}) for one in sightings]
    actions = tuple(DropActionOut(action=one.action, reason=one.reason, at=one.at) for one in found.notes)
    details = {"photo_url": _photo_url(found.drop), "sightings": sightings, "actions": actions}
    return _to_drop(found.drop, call).model_copy(update=details)


@operation("GET", "/v1/drops", role="viewer", bound_tokens="limited", example={"state": "done", "limit": 10})
def list_drops(call: Call, query: DropsQuery) -> DropList:
    """List drops, newest first.

    With `object`, the drops of all versions of that object are listed on one page, whatever their age. With
    `clip`, only the drops of the frames of that clip are listed.
    """
    matches = row_filter(query, "source", "state", "lane", "model", "clip")
    if query.object is not None:
        return DropList(
            items=[_to_drop(drop, call) for drop in _drops_of_object(call, query) if matches(drop)]
        )
    prefix = query.id_prefix or ""
    list_rows = container().drop_reader.list_drops
    page = read_page(
        call,
        query,
        "drops",
        lambda drop: drop.drop_id.startswith(prefix) and matches(drop),
        list_rows=list_rows,
        since=query.since,
    )
    return DropList(items=[_to_drop(drop, call) for drop in page.rows], next=page.next)


def _poll(load: Callable[[], Found | None], is_done: Callable[[Found], bool], wait_s: int) -> Found | None:
    """Load again until the result is done or the time is over; the last result."""
    deadline_s, pause_s = time.monotonic() + wait_s, MIN_POLL_INTERVAL_S
    while True:
        found = load()
        remaining_s = deadline_s - time.monotonic()
        if (found is not None and is_done(found)) or remaining_s <= 0:
            return found
        time.sleep(min(pause_s, remaining_s))
        pause_s = min(2 * pause_s, MAX_POLL_INTERVAL_S)


def _drops_of_object(call: Call, query: DropsQuery) -> list[DropView]:
    """Drops of all versions of the object that the query names, if the caller may access their source."""
    reader = container().drop_reader
    uri = f"s3://{container().presigned_photos.bucket}/{query.object}"
    found = (reader.find_drop(drop) for drop in islice(reader.drops_of_object(uri), query.limit))
    return [drop for drop in found if drop is not None and call.caller.can_access_source(drop.source)]


def _frame_of(drop: DropView) -> FrameOut | None:
    frame = drop.clip_frame
    return FrameOut(clip=frame.clip, number=frame.number, time_ms=frame.time_ms) if frame else None


def _to_drop(drop: DropView, call: Call) -> DropOut:
    has_picture = drop.s3_object is not None and drop.size_px is not None
    return DropOut(
        id=drop.drop_id,
        state=drop.state,
        lane=drop.lane,
        model=drop.model,
        source=drop.source,
        at=drop.occurred_at,
        attempts=drop.attempts,
        first_claimed_at=drop.first_claimed_at,
        object=_to_object(drop),
        frame=_frame_of(drop),
        stage=drop.stage or None,
        error=drop.error or None,
        release=drop.release or None,
        reason=drop.reason or None,
        message=drop.message or None,
        completed_at=drop.completed_at,
        size_px=drop.size_px,
        found=drop.found,
        alerts=drop.alerts,
        times_ms=dict(drop.times_ms) if drop.times_ms is not None else None,
        notes=dict(drop.notes) if drop.notes is not None else None,
        thumbnail_url=thumbnail_url(call, drop.drop_id) if has_picture else None,
    )


def to_sightings(views: Sequence[SightingView], call: Call) -> list[SightingOut]:
    """With names for a caller who may read them."""
    names = find_names(call, (view.subject for view in views))
    return [_to_sighting(view, call, names) for view in views]


def _to_sighting(view: SightingView, call: Call, names: Mapping[str, str]) -> SightingOut:
    has_thumbnail = view.box_px is not None and not view.is_erased
    return SightingOut(
        id=f"{view.drop_id}-{view.number}",
        drop=view.drop_id,
        source=view.source,
        model=view.model,
        at=view.occurred_at,
        status=view.status,
        person=view.subject if view.subject is not None and is_person_id(view.subject) else None,
        person_name=names.get(view.subject or ""),
        label=view.label,
        score=view.score,
        threshold=view.threshold,
        box_px=view.box_px,
        quality=view.quality,
        quality_issues=view.quality_issues,
        tags=tuple(sorted(view.tags)),
        value=view.value,
        text=view.text,
        row=view.row,
        span_s=view.span_s,
        subject_erased=view.is_erased,
        thumbnail_url=thumbnail_url(call, view.drop_id, view.number) if has_thumbnail else None,
    )


def _latest_drop_of(uri: str) -> DropView | None:
    drops = container().drop_reader.drops_of_object(uri)
    return container().drop_reader.find_drop(drops[0]) if drops else None


def _stored_drop_id(key: str) -> str | None:
    """The id of the drop of a stored photo, which follows from its version; None if no photo is stored."""
    photos, (model, _) = container().presigned_photos, parse_object_key(key)
    try:
        version = photos.latest_version(key)
    except ObjectNotFound:
        return None
    return compute_drop_id(photos.bucket, key, version, model)


def _to_object(drop: DropView) -> ObjectReference | None:
    if drop.s3_object is None:
        return None
    return ObjectReference(key=drop.s3_object.key, version=drop.s3_object.version or None)


def _photo_url(drop: DropView) -> str | None:
    return container().presigned_photos.download_url(drop.s3_object) if drop.s3_object is not None else None


@operation(
    "PUT",
    "/v1/drops/{drop}/label",
    role="reviewer",
    bound_tokens="limited",
    audited=True,
    example={"label": "7"},
    problems=(UnprocessableContent,),
)
def label_drop(call: Call, new: LabelRequest) -> LabelOut:
    """Label a drop.

    The label is used when the next dataset is built. A later label replaces an earlier one.
    """
    drop = call.path["drop"]
    found = container().drop_reader.find_drop(drop)
    if found is None or not call.caller.can_access_source(found.source):
        raise NotFound
    try:
        saved = labels.label_drop(
            drop,
            new.label,
            call.caller.id,
            datetime.now(UTC),
            drops=container().drop_records,
            labels=container().labels,
        )
    except CannotLabel as error:
        raise UnprocessableContent(str(error), reason="not-labellable") from error
    return LabelOut(drop=saved.drop, label=saved.label)
