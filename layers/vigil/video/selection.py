"""Selects the frames of a video that become drops: the sharpest of each window, without near-duplicates."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vigil.video.frames import HASH_BITS, Frame, hash_distance, measure_sharpness, perceptual_hash


@dataclass(frozen=True, slots=True)
class SelectionPolicy:
    """Which frames are selected.

    interval_s      the length of a window, of whose frames the sharpest is a candidate
    min_interval_s  a change of the picture ends a window early, but not before this
    change_bits     difference of the hashes of two successive frames from which on the picture has changed
    duplicate_bits  difference from the frame selected last up to which a candidate is a near-duplicate
    max_gap_s       a near-duplicate is selected if the frame selected last is so much older
    """

    interval_s: float = 1.0
    min_interval_s: float = 0.2
    change_bits: int = HASH_BITS // 8
    duplicate_bits: int = 5
    max_gap_s: float = 10.0


@dataclass(frozen=True, slots=True)
class SelectionState:
    """How far the selection is; another process that continues from here selects the same frames.

    position_s  begin of the next window; all earlier frames have been considered
    last_hash   of the frame selected last, at last_s; empty before the first
    """

    position_s: float = 0.0
    last_hash: bytes = b""
    last_s: float = 0.0


@dataclass(frozen=True, slots=True)
class FrameCandidate:
    """The sharpest frame of a window so far."""

    frame: Frame
    hash: bytes
    sharpness: float


END_STEP_S = 0.001
"""Added to the time of the last frame for the position at the end."""


def select_frames(
    frames: Iterable[Frame], state: SelectionState, policy: SelectionPolicy
) -> Iterator[tuple[Frame | None, SelectionState]]:
    """One result for each window: its selected frame, or None, and where the next window begins.

    Frames come in the order of their times; those before the state's position are skipped.
    """
    best: FrameCandidate | None = None
    begin_s, last_s, previous_hash = 0.0, 0.0, b""
    for frame in frames:
        if frame.time_s < state.position_s:
            continue
        candidate = FrameCandidate(frame, perceptual_hash(frame.grey), measure_sharpness(frame.grey))
        if best is not None and _ends_window(candidate, begin_s, previous_hash, policy):
            selected, state = _close_window(best, frame.time_s, state, policy)
            yield selected, state
            best = None
        if best is None:
            best, begin_s = candidate, frame.time_s
        elif candidate.sharpness > best.sharpness:
            best = candidate
        last_s, previous_hash = frame.time_s, candidate.hash
    if best is not None:
        yield _close_window(best, last_s + END_STEP_S, state, policy)


def _ends_window(
    candidate: FrameCandidate, begin_s: float, previous_hash: bytes, policy: SelectionPolicy
) -> bool:
    """Whether this frame begins another window."""
    age_s = candidate.frame.time_s - begin_s
    has_changed = hash_distance(candidate.hash, previous_hash) >= policy.change_bits
    return age_s >= policy.interval_s or (has_changed and age_s >= policy.min_interval_s)


def _close_window(
    best: FrameCandidate, position_s: float, state: SelectionState, policy: SelectionPolicy
) -> tuple[Frame | None, SelectionState]:
    time_s = best.frame.time_s
    is_duplicate = (
        bool(state.last_hash)
        and time_s - state.last_s < policy.max_gap_s
        and hash_distance(best.hash, state.last_hash) <= policy.duplicate_bits
    )
    if is_duplicate:
        return None, SelectionState(position_s, state.last_hash, state.last_s)
    return best.frame, SelectionState(position_s, best.hash, time_s)
