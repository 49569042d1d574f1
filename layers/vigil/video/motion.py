"""The motion gate of a camera: which frames differ from the background, and the best one of each second."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.video.frames import Frame, measure_sharpness

GRID = (64, 48)
"""Frames are compared at this size, (width, height)."""


@dataclass(frozen=True, slots=True)
class MotionPolicy:
    """When something moves.

    min_level     difference from the background in grey levels from which on a cell has changed
    min_share     share of the cells that must have changed
    learning      share of each frame that enters the background
    settled_s     time from the first frame in which the background is learnt and nothing is motion
    interval_s    of the frames with motion in it, the sharpest is the best
    """

    min_level: float = 12.0
    min_share: float = 0.004
    learning: float = 0.05
    settled_s: float = 1.0
    interval_s: float = 1.0


class MotionGate:
    """Compares frames with a background that it learns, so that what stays becomes background."""

    def __init__(self, policy: MotionPolicy) -> None:
        self._policy = policy
        self._background: NDArray[np.float32] | None = None
        self._began_s = 0.0

    def has_motion(self, frame: Frame) -> bool:
        """Whether something moves; a change of the light, which is the same everywhere, is no motion."""
        cells = np.asarray(Image.fromarray(frame.grey).resize(GRID, Image.Resampling.BOX), np.float32)
        if self._background is None:
            self._background, self._began_s = cells, frame.time_s
            return False
        difference = cells - self._background
        difference -= np.median(difference)
        self._background += np.float32(self._policy.learning) * (cells - self._background)
        is_settled = frame.time_s - self._began_s >= self._policy.settled_s
        share = float((np.abs(difference) > self._policy.min_level).mean())
        return is_settled and share >= self._policy.min_share


def best_frames(frames: Iterable[Frame], policy: MotionPolicy) -> Iterator[Frame]:
    """The sharpest frame with motion of each interval that has one, as soon as the interval ends."""
    gate, begin_s = MotionGate(policy), float("-inf")
    best: tuple[float, Frame] | None = None
    for frame in frames:
        if frame.time_s - begin_s >= policy.interval_s:
            if best is not None:
                yield best[1]
            best, begin_s = None, frame.time_s
        if gate.has_motion(frame):
            sharpness = measure_sharpness(frame.grey)
            best = (sharpness, frame) if best is None or sharpness > best[0] else best
    if best is not None:
        yield best[1]
