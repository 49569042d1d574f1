"""Drops and their inputs as values, and the messages that announce them: S3 notifications and jobs."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from vigil.errors import ForeignBucket, MalformedMessage, Rejected, UnroutableKey

_MODEL_PATTERN = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_SOURCE_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


@dataclass(frozen=True, slots=True)
class S3Object:
    """One version of an S3 object; an empty `version` stands for the latest."""

    bucket: str
    key: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class InlinePayload:
    """Bytes inside the message."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Drop:
    """One input for one model, to be processed once.

    The id is a hash of object version and model (or of message and model): one event that is delivered five
    times is one drop; another model on the same object is another drop.

    source       where the input comes from, such as a camera
    occurred_at  by the clock of the event (aware, UTC)
    """

    id: str
    model: str
    source: str
    payload: S3Object | InlinePayload
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class InvalidMessage:
    """A message, or an object that it announces, without a valid model; recorded as a rejected drop."""

    id: str
    payload: S3Object | None
    occurred_at: datetime
    rejection: Rejected


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message of a queue; `sent_at` is when it was first sent (aware, UTC)."""

    id: str
    body: str
    sent_at: datetime


def compute_drop_id(*parts: str) -> str:
    """The hash of the parts, 32 hex digits; a NUL separates them, so that different lists differ."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


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


def parse_object_key(key: str) -> tuple[str, str]:
    """(model, source) of a key shaped `<lane>/<model>/<source>/<name>`. Raises UnroutableKey."""
    parts = key.split("/", 3)
    if (
        len(parts) < 4
        or not parts[3]
        or not _MODEL_PATTERN.fullmatch(parts[1])
        or not _SOURCE_PATTERN.fullmatch(parts[2])
    ):
        raise UnroutableKey("a key reads live|bulk/<model>/<source>/<name>; model and source without spaces")
    return parts[1], parts[2]


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
            item = S3Object(named, unquote_plus(key), str(rest.get("versionId") or ""))
            dedup_key = item.version or str(rest.get("sequencer") or rest.get("eTag") or queue_message.id)
        case _:
            return _invalid_message(
                queue_message, MalformedMessage("a record without eventTime, bucket or key")
            )
    try:
        model, source = parse_object_key(item.key)
        return _build_drop(
            item, model, source, dedup_key=dedup_key, occurred_at=_parse_time(at), bucket=bucket
        )
    except Rejected as rejection:
        return InvalidMessage(
            compute_drop_id(item.bucket, item.key, dedup_key), item, queue_message.sent_at, rejection
        )


def _drop_from_job(job: Mapping[str, Any], queue_message: QueueMessage, bucket: str) -> Drop | InvalidMessage:
    """One documented job: {"model", "source"?, "id"?, "at"?} and either "s3" or base64 "data"."""
    dedup_key = str(job.get("id") or queue_message.id)
    try:
        model, source = str(job["model"]), _validate(job.get("source", "jobs"), _SOURCE_PATTERN, "source")
        occurred_at = _parse_time(job["at"]) if "at" in job else queue_message.sent_at
        match job:
            case {"s3": {"bucket": str(named), "key": str(key), **rest}}:
                item = S3Object(named, key, str(rest.get("version_id") or ""))
                return _build_drop(
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


def _build_drop(
    item: S3Object, model: str, source: str, *, dedup_key: str, occurred_at: datetime, bucket: str
) -> Drop:
    if item.bucket != bucket:
        raise ForeignBucket(f"objects are read from {bucket} alone")
    return Drop(compute_drop_id(item.bucket, item.key, dedup_key, model), model, source, item, occurred_at)


def _invalid_message(queue_message: QueueMessage, rejection: Rejected) -> InvalidMessage:
    return InvalidMessage(
        compute_drop_id("message", queue_message.id), None, queue_message.sent_at, rejection
    )


def _validate(value: Any, pattern: re.Pattern[str], field_name: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise MalformedMessage(f"{field_name} must match {pattern.pattern}")
    return value


def _parse_time(text: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise MalformedMessage(f"not an ISO 8601 time: {text!r}") from error
    if moment.tzinfo is None:
        raise MalformedMessage(f"a time needs its offset: {text!r}")
    return moment


def _decode_base64(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except ValueError as error:
        raise MalformedMessage(f"data is not base64: {error}") from error
