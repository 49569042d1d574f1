"""Processes one clip: its selected frames become drops; another worker continues where one was killed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from vigil.drops.ledger import AlreadyCompleted, Lease, LeaseHeld, Ledger, ProcessingResult
from vigil.drops.messages import CLIP_MODEL, ClipFrame, Drop, InvalidMessage, S3Object
from vigil.drops.process import DropInProgress, Invocation
from vigil.errors import MalformedMessage, Rejected, Transient, failed_dependency
from vigil.inference.types import Option, Prediction
from vigil.video.decoder import Clip, ClipLimits, open_clip
from vigil.video.frames import Frame, encode_frame
from vigil.video.selection import SelectionPolicy, SelectionState, select_frames

MAX_STALLED_ATTEMPTS = 3
"""A clip is quarantined when so many attempts after each other ended without any progress."""

STAGE = "frames"


@dataclass(frozen=True, slots=True)
class ClipProgress:
    """How far a clip is.

    selection  where the selection of frames continues
    frames     number of frames that were stored
    attempt    the attempt of the last progress
    """

    selection: SelectionState = field(default_factory=SelectionState)
    frames: int = 0
    attempt: int = 0


class ClipProgressStore(Protocol):
    """The progress of clips. Raises Transient."""

    def load(self, clip: str) -> ClipProgress: ...
    def save(self, clip: str, progress: ClipProgress, now: datetime) -> None: ...


class ClipReader(Protocol):
    """Reads clips into files."""

    def with_version(self, item: S3Object) -> S3Object:
        """The object with its newest version, unless it has one. Raises ObjectNotFound, Transient."""

    def download(self, item: S3Object, file: Path, max_bytes: int) -> None:
        """Raises ObjectNotFound, ObjectTooLarge (before reading), EmptyFile, Transient."""


class FrameStore(Protocol):
    """Stores frames as objects, each of which is announced as a drop."""

    def put_frame(self, key: str, data: bytes) -> bool:
        """Store a frame unless there is one under this key; whether it was stored. Raises Transient."""


@dataclass(frozen=True, slots=True)
class ClipPorts:
    """The ports of clips.

    model     the model that the frames become drops of
    folder    of this worker alone, for the file that is decoded
    has_time  whether the invocation lasts long enough for another frame
    """

    ledger: Ledger
    clips: ClipReader
    frames: FrameStore
    progress: ClipProgressStore
    clock: Callable[[], datetime]
    has_time: Callable[[], bool]
    model: str
    folder: Path
    limits: ClipLimits = field(default_factory=ClipLimits)
    policy: SelectionPolicy = field(default_factory=SelectionPolicy)


@dataclass(frozen=True, slots=True)
class ClipResult:
    """How one delivery of a clip ended; `unfinished` when the invocation ended before the clip did.

    stored  number of frames that this delivery stored
    """

    outcome: Literal["done", "rejected", "quarantined", "duplicate", "unfinished"]
    reason: str = ""
    stored: int = 0


def process_clip(drop: Drop | InvalidMessage, ports: ClipPorts, invocation: Invocation) -> ClipResult:
    """Store the selected frames of a clip from where the last attempt stopped, then complete its drop.

    Raises DropInProgress, Transient, or a bug's error; then the queue delivers the clip again.
    """
    now, until = ports.clock(), invocation.ends_at
    claim = ports.ledger.claim(drop, owner=invocation.owner, now=now, until=until)
    if isinstance(claim, AlreadyCompleted):
        return ClipResult("duplicate")
    if isinstance(claim, LeaseHeld):
        raise DropInProgress(claim.until)
    with _released_on_failure(claim, ports):
        try:
            return _continue_clip(_require_clip(drop), claim, ports)
        except Rejected as rejection:
            ports.ledger.reject(
                claim, reason=rejection.reason, message=str(rejection), stage=STAGE, now=ports.clock()
            )
            return ClipResult("rejected", rejection.reason)


@contextmanager
def _released_on_failure(claim: Lease, ports: ClipPorts) -> Iterator[None]:
    """A failed dependency ends the lease, so that the next attempt need not wait for its end.

    It is no sign that the clip ends its workers: the attempt is not counted as one without progress.
    """
    try:
        yield
    except Transient as error:
        with suppress(Transient):
            progress = replace(ports.progress.load(claim.drop_id), attempt=claim.attempt)
            ports.progress.save(claim.drop_id, progress, ports.clock())
        _release(claim, ports, f"{Transient.__name__}: {error}"[:500], failed_dependency(error))
        raise


def _release(claim: Lease, ports: ClipPorts, error: str = "", dependency: str | None = None) -> None:
    ports.ledger.release_lease(claim, stage=STAGE, error=error, dependency=dependency, now=ports.clock())


def _require_clip(drop: Drop | InvalidMessage) -> Drop:
    """Raises Rejected for a message that names no clip."""
    if isinstance(drop, InvalidMessage):
        raise drop.rejection
    if drop.model != CLIP_MODEL or not isinstance(drop.payload, S3Object):
        raise MalformedMessage("a clip is an object under live/clips/ or bulk/clips/")
    return drop


def _continue_clip(drop: Drop, claim: Lease, ports: ClipPorts) -> ClipResult:
    progress = ports.progress.load(drop.id)
    if claim.attempt - progress.attempt > MAX_STALLED_ATTEMPTS:
        message = f"{MAX_STALLED_ATTEMPTS} workers ended after each other without any progress"
        ports.ledger.quarantine(claim, reason="no-progress", message=message, stage=STAGE, now=ports.clock())
        return ClipResult("quarantined", "no-progress")
    drop = replace(drop, payload=ports.clips.with_version(_object_of(drop)))
    with _downloaded(drop, ports) as file, open_clip(file, ports.limits) as clip:
        after = _store_frames(drop, clip, replace(progress, attempt=claim.attempt), ports)
        stored = after.progress.frames - progress.frames
        if not after.is_complete:
            _release(claim, ports)
            return ClipResult("unfinished", stored=stored)
        _complete(drop, claim, clip, after.progress, ports)
        return ClipResult("done", stored=stored)


@contextmanager
def _downloaded(drop: Drop, ports: ClipPorts) -> Iterator[Path]:
    """The file of a clip; what a worker that was killed left in the folder is deleted first."""
    for left in ports.folder.glob("*.clip"):
        left.unlink(missing_ok=True)
    file = ports.folder / f"{drop.id}.clip"
    try:
        ports.clips.download(_object_of(drop), file, ports.limits.max_bytes)
        yield file
    finally:
        file.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _ClipStep:
    progress: ClipProgress
    is_complete: bool


def _store_frames(drop: Drop, clip: Clip, progress: ClipProgress, ports: ClipPorts) -> _ClipStep:
    """Store frames until the clip or the time ends.

    A frame is stored before the progress: an attempt that is killed between them stores it again under the
    same key, which changes nothing.
    """
    begin = progress.selection
    for frame, selection in select_frames(clip.frames(begin.position_s), begin, ports.policy):
        progress = replace(progress, selection=selection)
        if frame is not None:
            ports.frames.put_frame(frame_key(drop, frame, ports.model), encode_frame(frame))
            progress = replace(progress, frames=progress.frames + 1)
        has_time = ports.has_time()
        if frame is not None or not has_time:
            ports.progress.save(drop.id, progress, ports.clock())
        if not has_time:
            return _ClipStep(progress, is_complete=False)
    return _ClipStep(progress, is_complete=True)


def frame_key(drop: Drop, frame: Frame, model: str) -> str:
    """The object key of a frame, in the lane of its clip; the same for every worker that takes it."""
    lane = _object_of(drop).key.split("/", 1)[0]
    place = ClipFrame(drop.id, frame.number, round(frame.time_s * 1000))
    return f"{lane}/{model}/{drop.source}/{place.name()}"


def _object_of(drop: Drop) -> S3Object:
    if not isinstance(drop.payload, S3Object):
        raise TypeError(f"{drop.id} has no object")
    return drop.payload


def _complete(drop: Drop, claim: Lease, clip: Clip, progress: ClipProgress, ports: ClipPorts) -> None:
    info = clip.info
    notes: dict[str, Option] = {
        "frames": progress.frames,
        "duration_s": round(info.duration_s, 3),
        "codec": info.codec,
        "width_px": info.width_px,
        "height_px": info.height_px,
    }
    result = ProcessingResult(Prediction((), 0, notes=notes), "", (), None, {})
    ports.ledger.save_result(claim, drop, result, now=ports.clock())
