"""Drops and their inputs as values; a drop id is the same for every message that announces the drop."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from vigil.errors import Rejected, UnroutableKey

_MODEL_PATTERN = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
SOURCE_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


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
class ClipFrame:
    """Which frame of which clip a drop shows.

    clip     id of the clip's drop
    number   of the frame in the clip, from 0
    time_ms  since the beginning of the clip
    """

    clip: str
    number: int
    time_ms: int

    def name(self) -> str:
        """The end of the frame's object key, after the source; equal for every worker that takes it."""
        return f"clip/{self.clip}/{self.number:07}-{self.time_ms:09}.jpg"


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

    @property
    def clip_frame(self) -> ClipFrame | None:
        """The frame that the drop shows, which its object key names; None if it is not of a clip."""
        return parse_frame_key(self.payload.key) if isinstance(self.payload, S3Object) else None


@dataclass(frozen=True, slots=True)
class InvalidMessage:
    """A message, or an object that it announces, without a valid model; recorded as a rejected drop."""

    id: str
    payload: S3Object | None
    occurred_at: datetime
    rejection: Rejected


CLIP_MODEL = "clips"
"""Stands in an object key for the model: the object is a video, whose frames become drops of a model."""

MAX_CLIP_BYTES = 400_000_000
"""The size of the largest clip, which fits Lambda's temporary space of 512 MB."""

CLIP_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".avi", ".webm"})
"""Usual suffixes of clips; the content decides."""

_FRAME_KEY = re.compile(r"[^/]+/[^/]+/[^/]+/clip/([0-9a-f]{32})/([0-9]{7,9})-([0-9]{9})\.jpg")

CANARY_SOURCE, CANARY_CHECK_SOURCE = "canary", "canary-check"
"""The sources of canary probes: of the schedule, and of a person who checks by hand. Their known photograph
raises no alert; any other picture of these sources is treated like every picture."""


def compute_drop_id(*parts: str) -> str:
    """The hash of the parts, 32 hex digits; a NUL separates them, so that different lists differ."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def parse_object_key(key: str) -> tuple[str, str]:
    """(model, source) of a key shaped `<lane>/<model>/<source>/<name>`. Raises UnroutableKey."""
    parts = key.split("/", 3)
    if (
        len(parts) < 4
        or not parts[3]
        or not _MODEL_PATTERN.fullmatch(parts[1])
        or not SOURCE_PATTERN.fullmatch(parts[2])
    ):
        raise UnroutableKey("a key reads live|bulk/<model>/<source>/<name>; model and source without spaces")
    return parts[1], parts[2]


def parse_frame_key(key: str) -> ClipFrame | None:
    """The frame that a key names, shaped `<lane>/<model>/<source>/` and the name of the frame."""
    match = _FRAME_KEY.fullmatch(key)
    return ClipFrame(match[1], int(match[2]), int(match[3])) if match else None


def object_drop(item: S3Object, model: str, source: str, *, dedup_key: str, occurred_at: datetime) -> Drop:
    """The drop of an object version for a model; an object without version is identified by `dedup_key`."""
    return Drop(compute_drop_id(item.bucket, item.key, dedup_key, model), model, source, item, occurred_at)
