"""The motion gate: what moves is uploaded, the light and what stays is not."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.video.frames import Frame
from vigil.video.motion import MotionPolicy, best_frames

RATE = 10.0
POLICY = MotionPolicy()
RNG = np.random.default_rng(1)
ROOM = RNG.integers(60, 180, (6, 8)).repeat(40, 0).repeat(40, 1).astype(np.float32)


def frames(seconds: float, picture: Callable[[float], NDArray[np.float32]]) -> Iterator[Frame]:
    """Noisy frames of what `picture` shows at each time."""
    for number in range(round(seconds * RATE)):
        time_s = number / RATE
        noisy = picture(time_s) + RNG.normal(0, 3, ROOM.shape)
        grey = np.clip(noisy, 0, 255).astype(np.uint8)
        yield Frame(number, time_s, grey, lambda grey=grey: Image.fromarray(grey).convert("RGB"))  # type: ignore[misc]


def with_somebody(at: float, *, left: int, size: int = 30) -> NDArray[np.float32]:
    shown = ROOM.copy()
    shown[100 : 100 + 2 * size, left : left + size] = 250 if at % 0.2 < 0.1 else 20
    return shown


def times(found: Iterator[Frame]) -> list[float]:
    return [one.time_s for one in found]


def test_an_empty_room_is_not_uploaded():
    assert times(best_frames(frames(6, lambda _: ROOM), POLICY)) == []


def test_one_frame_of_each_second_in_which_somebody_passes_is_uploaded():
    def picture(at: float) -> NDArray[np.float32]:
        return with_somebody(at, left=int(20 + 60 * (at - 3))) if 3 <= at < 6 else ROOM

    found = times(best_frames(frames(9, picture), POLICY))

    assert [int(one) for one in found[:3]] == [3, 4, 5]
    assert found[-1] < 9, "the background forgets somebody who is gone"


def test_a_lamp_that_is_switched_on_is_no_motion():
    assert times(best_frames(frames(6, lambda at: ROOM + (40 if at > 3 else 0)), POLICY)) == []


def test_what_stays_becomes_background():
    def picture(at: float) -> NDArray[np.float32]:
        shown = ROOM.copy()
        if at >= 2:
            shown[100:160, 100:140] = 250
        return shown

    found = times(best_frames(frames(20, picture), POLICY))

    assert found[0] < 3
    assert found[-1] < 12
