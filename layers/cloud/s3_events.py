"""S3 notifications and jobs as JSON: parsed into drops, and written to announce objects again."""

import base64
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from vigil.drops.messages import (
    SOURCE_PATTERN,
    Drop,
    InlinePayload,
    InvalidMessage,
    S3Object,
    compute_drop_id,
    object_drop,
    parse_object_key,
)
from vigil.errors import ForeignBucket, MalformedMessage, Rejected

MAX_TEXT = {
    "id": 256,
    "model": 63,
    "at": 64,
    "eventTime": 64,
    "bucket": 63,
    "key": 1024,
    "version": 1024,
    "sequencer": 256,
    "eTag": 256,
}
"""The longest text of each field of a message, in bytes of UTF-8, checked before the text is parsed.

A key and a bucket's name have these limits in S3 ("Creating object key names", "Bucket naming rules"); a row
of DynamoDB holds 400 KB, so that a longer text could never be recorded.
"""


EARLIEST_YEAR, LATEST_YEAR = 1970, 9000
"""Times near the ends of the calendar cannot be expressed in every time zone."""


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message of a queue; `sent_at` is when it was first sent (aware, UTC)."""

    id: str
    body: str
    sent_at: datetime


def parse_message(queue_message: QueueMessage, bucket: str) -> list[Drop | InvalidMessage]:
    """The drops that a message announces: none for S3's test event, several for a batched notification.

    bucket  the only one that is read: a message that names another is rejected
    """
    try:
        message = _parse_json(queue_message.body)
    except MalformedMessage as error:
        return [_invalid_message(queue_message, error)]
    match message:
        case {"Event": "s3:TestEvent"}:
            return []
        case {"Records": [*records]} if records:
            return [_drop_from_notification(record, queue_message, bucket) for record in records]
        case {"model": str()}:
            return [_drop_from_job(message, queue_message, bucket)]
        case _:
            return [
                _invalid_message(
                    queue_message, MalformedMessage("neither an S3 notification nor a job with a model")
                )
            ]


def announcement(item: S3Object, stored_at: datetime, model: str | None = None) -> str:
    """A message that announces an object: an S3 notification, or a job for another model.

    It makes the same drop as S3's own notification. Raises UnroutableKey for a job.
    """
    if model is None:
        stored = {"key": quote_plus(item.key), "versionId": item.version}
        record = {
            "eventSource": "vigil:reconcile",
            "eventTime": stored_at.isoformat(),
            "s3": {"bucket": {"name": item.bucket}, "object": stored},
        }
        return json.dumps({"Records": [record]})
    _, source = parse_object_key(item.key)
    location = {"bucket": item.bucket, "key": item.key, "version_id": item.version}
    return json.dumps({"model": model, "source": source, "at": stored_at.isoformat(), "s3": location})


def clip_announcement(drop: Drop) -> str:
    """A job for the queue of clips, which announces the same clip however often it is sent.

    A clip is one object; the drop of an object with a version has the same id in the queue of clips.
    """
    if not isinstance(drop.payload, S3Object):
        raise TypeError(f"{drop.id} has no object")
    item = drop.payload
    location = {"bucket": item.bucket, "key": item.key, "version_id": item.version or None}
    job = {"model": drop.model, "source": drop.source, "id": drop.id, "at": drop.occurred_at.isoformat()}
    return json.dumps({**job, "s3": location})


def _parse_json(body: str) -> Any:
    """JSON that can be encoded again: a lone surrogate, which JSON can contain, is refused."""
    try:
        message = json.loads(body)
        json.dumps(message, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"not JSON: {error}") from error
    return message


def _drop_from_notification(record: Any, queue_message: QueueMessage, bucket: str) -> Drop | InvalidMessage:
    """One record of an S3 notification; keys arrive URL-encoded, with + for space."""
    match record:
        case {
            "eventTime": str(at),
            "s3": {"bucket": {"name": str(named)}, "object": {"key": str(key), **rest}},
        }:
            pass
        case _:
            return _invalid_message(
                queue_message, MalformedMessage("a record without eventTime, bucket or key")
            )
    try:
        item = _object(named, unquote_plus(key), rest.get("versionId"))
        event_id = _limited("sequencer", rest.get("sequencer")) or _limited("eTag", rest.get("eTag"))
    except MalformedMessage as error:
        return _invalid_message(queue_message, error)
    dedup_key = item.version or event_id or queue_message.id
    try:
        model, source = parse_object_key(item.key)
        return _drop_in_bucket(
            item,
            model,
            source,
            dedup_key=dedup_key,
            occurred_at=_parse_time("eventTime", at),
            bucket=bucket,
        )
    except Rejected as rejection:
        return InvalidMessage(
            compute_drop_id(item.bucket, item.key, dedup_key), item, queue_message.sent_at, rejection
        )


def _drop_from_job(job: Mapping[str, Any], queue_message: QueueMessage, bucket: str) -> Drop | InvalidMessage:
    """One documented job: {"model", "source"?, "id"?, "at"?} and either "s3" or base64 "data"."""
    try:
        dedup_key = _id_of(job) or queue_message.id
        model = _limited("model", job["model"])
        source = _validate(job.get("source", "jobs"), SOURCE_PATTERN, "source")
        occurred_at = _parse_time("at", job["at"]) if "at" in job else queue_message.sent_at
        match job:
            case {"s3": {"bucket": str(named), "key": str(key), **rest}}:
                item = _object(named, key, rest.get("version_id"))
                return _drop_in_bucket(
                    item,
                    model,
                    source,
                    dedup_key=item.version or dedup_key,
                    occurred_at=occurred_at,
                    bucket=bucket,
                )
            case {"data": str(data)}:
                return Drop(
                    compute_drop_id("job", dedup_key, model),
                    model,
                    source,
                    InlinePayload(_decode_base64(data)),
                    occurred_at,
                )
        raise MalformedMessage('a job needs "s3" with bucket and key, or base64 "data"')
    except Rejected as rejection:
        return _invalid_message(queue_message, rejection)


def _id_of(job: Mapping[str, Any]) -> str:
    """The id of a job, "" without one: a text in composed form (NFC), or an integer as its text.

    Two forms of one text look equal to people, and file systems change one into the other: they are one id.
    """
    ident = job.get("id")
    if ident is not None and (isinstance(ident, bool) or not isinstance(ident, str | int)):
        raise MalformedMessage("id must be a text or an integer")
    return unicodedata.normalize("NFC", _limited("id", ident))


def _drop_in_bucket(
    item: S3Object, model: str, source: str, *, dedup_key: str, occurred_at: datetime, bucket: str
) -> Drop:
    if item.bucket != bucket:
        raise ForeignBucket(f"objects are read from {bucket} alone")
    return object_drop(item, model, source, dedup_key=dedup_key, occurred_at=occurred_at)


def _invalid_message(queue_message: QueueMessage, rejection: Rejected) -> InvalidMessage:
    return InvalidMessage(
        compute_drop_id("message", queue_message.id), None, queue_message.sent_at, rejection
    )


def _object(bucket: str, key: str, version: Any) -> S3Object:
    return S3Object(_limited("bucket", bucket), _limited("key", key), _limited("version", version))


def _limited(field_name: str, value: Any) -> str:
    """The text of a field, "" without one. Raises MalformedMessage if it is longer than MAX_TEXT."""
    text, limit = "" if value is None else str(value), MAX_TEXT[field_name]
    if len(text) > limit or len(text.encode()) > limit:
        raise MalformedMessage(f"{field_name} has more than {limit} bytes")
    return text


def _validate(value: Any, pattern: re.Pattern[str], field_name: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise MalformedMessage(f"{field_name} must match {pattern.pattern}")
    return value


def _parse_time(field_name: str, value: Any) -> datetime:
    text = _limited(field_name, value)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise MalformedMessage(f"not an ISO 8601 time: {text!r}") from error
    if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        raise MalformedMessage(f"not a time from {EARLIEST_YEAR} to {LATEST_YEAR}: {text!r}")
    if moment.tzinfo is None:
        raise MalformedMessage(f"a time needs its offset: {text!r}")
    return moment


_DATA_URL = re.compile(r"data:[\w.+/-]*(;[\w=.-]+)*,", re.ASCII)


def decode_base64(text: str) -> bytes:
    """Bytes of base64, also if it is wrapped in lines, URL-safe, without padding, or a data URL.

    Raises ValueError.
    """
    url = _DATA_URL.match(text[:200])
    compact = "".join(text[url.end() if url else 0 :].split()).translate({45: "+", 95: "/"}).rstrip("=")
    return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)


def _decode_base64(data: str) -> bytes:
    try:
        return decode_base64(data)
    except ValueError as error:
        raise MalformedMessage(f"data is not base64: {error}") from error
