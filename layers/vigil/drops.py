"""What arrived: S3 notifications and jobs on SQS, read into drops."""

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

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


@dataclass(frozen=True, slots=True)
class Object:
    """One version of an S3 object. `version` is empty where none was named: then the latest is read."""

    bucket: str
    key: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Inline:
    """Bytes that came inside the message."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Drop:
    """One thing to look at, once.

    The id is a hash of object version and model (or of message and model): the same event
    delivered five times is one drop, and a second model's look at one object is another.

    source  where it was taken: a door, a camera, a feed
    at      when it happened, by the event's own clock (aware, UTC)
    """

    id: str
    model: str
    source: str
    origin: Object | Inline
    at: datetime


@dataclass(frozen=True, slots=True)
class Misfit:
    """A message, or an object it announced, that no model can be asked about; kept as a rejected drop."""

    id: str
    origin: Object | None
    at: datetime
    rejection: Rejected


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message as the queue handed it over; `sent` is when it was first sent (aware, UTC)."""

    id: str
    body: str
    sent: datetime


def drop_id(*parts: str) -> str:
    """Hash parts to 32 hex digits; NUL between them, so that no two lists of parts meet."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def read(envelope: Envelope, bucket: str) -> list[Drop | Misfit]:
    """All drops that one message announces: none for S3's test event, several for a batched notification.

    `bucket` is the only one that may be read: a message cannot make Vigil fetch from elsewhere.
    """
    try:
        message = _parsed(envelope.body)
    except MalformedMessage as error:
        return [_misfit(envelope, error)]
    match message:
        case {"Event": "s3:TestEvent"}:
            return []
        case {"Records": [*records]} if records:
            return [_announced(record, envelope, bucket) for record in records]
        case {"model": str()}:
            return [_job(message, envelope, bucket)]
        case _:
            return [_misfit(envelope, MalformedMessage("neither an S3 notification nor a job with a model"))]


def route(key: str) -> tuple[str, str]:
    """(model, source) of a key shaped `<lane>/<model>/<source>/<name>`. Raises UnroutableKey."""
    parts = key.split("/", 3)
    if len(parts) < 4 or not parts[3] or not _NAME.fullmatch(parts[1]) or not _SOURCE.fullmatch(parts[2]):
        raise UnroutableKey("a key reads live|bulk/<model>/<source>/<name>; model and source without spaces")
    return parts[1], parts[2]


def _parsed(body: str) -> Any:
    """JSON that can be stored again: half of a surrogate pair, which JSON can spell, is no text."""
    try:
        message = json.loads(body)
        json.dumps(message, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"not JSON: {error}") from error
    return message


def _announced(record: Any, envelope: Envelope, bucket: str) -> Drop | Misfit:
    """One record of an S3 notification; keys arrive URL-encoded, with + for space."""
    match record:
        case {
            "eventTime": str(at),
            "s3": {"bucket": {"name": str(named)}, "object": {"key": str(key), **rest}},
        }:
            item = Object(named, unquote_plus(key), str(rest.get("versionId") or ""))
            pin = item.version or str(rest.get("sequencer") or rest.get("eTag") or envelope.id)
        case _:
            return _misfit(envelope, MalformedMessage("a record without eventTime, bucket or key"))
    try:
        model, source = route(item.key)
        return _drop(item, model, source, pin=pin, at=_time(at), bucket=bucket)
    except Rejected as rejection:
        return Misfit(drop_id(item.bucket, item.key, pin), item, envelope.sent, rejection)


def _job(job: Mapping[str, Any], envelope: Envelope, bucket: str) -> Drop | Misfit:
    """One documented job: {"model", "source"?, "id"?, "at"?} and either "s3" or base64 "data"."""
    pin = str(job.get("id") or envelope.id)
    try:
        model, source = str(job["model"]), _checked(job.get("source", "jobs"), _SOURCE, "source")
        at = _time(job["at"]) if "at" in job else envelope.sent
        match job:
            case {"s3": {"bucket": str(named), "key": str(key), **rest}}:
                item = Object(named, key, str(rest.get("version_id") or ""))
                return _drop(item, model, source, pin=item.version or pin, at=at, bucket=bucket)
            case {"data": str(data)}:
                return Drop(drop_id("job", pin, model), model, source, Inline(_bytes(data)), at)
        raise MalformedMessage('a job needs "s3" with bucket and key, or base64 "data"')
    except Rejected as rejection:
        return _misfit(envelope, rejection)


def _drop(item: Object, model: str, source: str, *, pin: str, at: datetime, bucket: str) -> Drop:
    if item.bucket != bucket:
        raise ForeignBucket(f"objects are read from {bucket} alone")
    return Drop(drop_id(item.bucket, item.key, pin, model), model, source, item, at)


def _misfit(envelope: Envelope, rejection: Rejected) -> Misfit:
    return Misfit(drop_id("message", envelope.id), None, envelope.sent, rejection)


def _checked(value: Any, shape: re.Pattern[str], what: str) -> str:
    if not isinstance(value, str) or not shape.fullmatch(value):
        raise MalformedMessage(f"{what} must match {shape.pattern}")
    return value


def _time(text: Any) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise MalformedMessage(f"not an ISO 8601 time: {text!r}") from error
    if at.tzinfo is None:
        raise MalformedMessage(f"a time needs its offset: {text!r}")
    return at


def _bytes(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except ValueError as error:
        raise MalformedMessage(f"data is not base64: {error}") from error
