"""What a known photograph must come to, and whether it did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from vigil.seeing import Box


@dataclass(frozen=True, slots=True)
class Flight:
    """A canary under way: its drop, and when its photograph was stored."""

    drop: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a flight: the drop's end and when, and the boxes of what was seen, in pixels."""

    state: str
    at: datetime
    boxes_px: Sequence[Box]
    alerts: int


@dataclass(frozen=True, slots=True)
class Known:
    """The right answer: one box for each face, met by at least so much overlap (intersection / union)."""

    boxes_px: Sequence[Box]
    overlap: float = 0.5
    within: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Sung:
    """How a flight ended: what is wrong, or ""; milliseconds from stored to answered, None without answer."""

    wrong: str
    ms: float | None


def sung(flight: Flight, answer: Answer | None, known: Known) -> Sung:
    """Judge one flight."""
    if answer is None:
        return Sung("no answer", None)
    ms = (answer.at - flight.at).total_seconds() * 1000
    if answer.state != "done":
        return Sung(f"it was {answer.state}", ms)
    if answer.alerts:
        return Sung("it raised an alert", ms)
    if not _same(answer.boxes_px, known):
        return Sung(f"{len(answer.boxes_px)} sightings, not where they should be", ms)
    return Sung("late" if ms > known.within.total_seconds() * 1000 else "", ms)


def _same(boxes_px: Sequence[Box], known: Known) -> bool:
    pairs = zip(sorted(boxes_px), sorted(known.boxes_px), strict=False)
    return len(boxes_px) == len(known.boxes_px) and all(_overlap(*pair) >= known.overlap for pair in pairs)


def _overlap(one: Box, other: Box) -> float:
    """Intersection / union, 0 to 1."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, across) * max(0.0, down)
    return shared / (_area(one) + _area(other) - shared)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
