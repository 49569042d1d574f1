"""Checks the result of a canary probe against the expected detections."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from vigil.inference.types import Box, iou


@dataclass(frozen=True, slots=True)
class CanaryRun:
    """A canary probe in progress."""

    drop_id: str
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class CanaryOutcome:
    """The final state of a probe's drop, with the boxes of its sightings in pixels."""

    state: str
    completed_at: datetime
    boxes_px: Sequence[Box]
    alerts: int


@dataclass(frozen=True, slots=True)
class ExpectedDetections:
    """The correct result: one box for each face, each matched with at least `min_iou`."""

    boxes_px: Sequence[Box]
    min_iou: float = 0.5
    time_limit: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class CanaryCheck:
    """`problem` is "" if the result is correct; `latency_ms` is None without a result."""

    problem: str
    latency_ms: float | None


def check_canary(run: CanaryRun, outcome: CanaryOutcome | None, expected: ExpectedDetections) -> CanaryCheck:
    if outcome is None:
        return CanaryCheck("no result", None)
    latency_ms = (outcome.completed_at - run.stored_at).total_seconds() * 1000
    if outcome.state != "done":
        return CanaryCheck(f"its drop is {outcome.state}", latency_ms)
    if outcome.alerts:
        return CanaryCheck("it raised an alert", latency_ms)
    if not _matches_expected(outcome.boxes_px, expected):
        return CanaryCheck(f"{len(outcome.boxes_px)} sightings, not at the expected positions", latency_ms)
    return CanaryCheck("late" if latency_ms > expected.time_limit.total_seconds() * 1000 else "", latency_ms)


def _matches_expected(boxes_px: Sequence[Box], expected: ExpectedDetections) -> bool:
    pairs = zip(sorted(boxes_px), sorted(expected.boxes_px), strict=False)
    return len(boxes_px) == len(expected.boxes_px) and all(iou(*pair) >= expected.min_iou for pair in pairs)
