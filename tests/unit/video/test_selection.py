"""The selection of frames: the sharpest of each window, no near-duplicates, the same after a restart."""

from collections.abc import Callable, Sequence
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from vigil.video.frames import Frame, encode_frame, hash_distance, perceptual_hash
from vigil.video.selection import SelectionPolicy, SelectionState, select_frames

POLICY = SelectionPolicy()


def pattern(seed: int, blur: float = 0.0) -> Image.Image:
    """A picture of blocks that differs from that of every other seed."""
    blocks = np.random.default_rng(seed).integers(0, 255, (12, 16), np.uint8)
    image = Image.fromarray(blocks).resize((320, 240), Image.Resampling.NEAREST)
    return image.filter(ImageFilter.GaussianBlur(blur)) if blur else image


def frame(number: int, image: Image.Image, rate: float = 10.0) -> Frame:
    return Frame(number, number / rate, np.asarray(image), lambda: image.convert("RGB"))


def selected(frames: Sequence[Frame], policy: SelectionPolicy = POLICY) -> list[int]:
    results = select_frames(frames, SelectionState(), policy)
    return [one.number for one, _ in results if one is not None]


def test_the_sharpest_frame_of_each_second_is_selected():
    blurred = {0: 6.0, 1: 3.0, 2: 0.0, 3: 4.0}
    first = [frame(number, pattern(1, blurred.get(number, 5.0))) for number in range(10)]
    second = [frame(number, pattern(2, 0.0 if number == 17 else 4.0)) for number in range(10, 20)]

    assert selected([*first, *second]) == [2, 17]


def test_a_still_picture_is_selected_once_and_then_every_ten_seconds():
    frames = [frame(number, pattern(1), rate=2) for number in range(50)]

    assert [number / 2 for number in selected(frames)] == [0, 10, 20]


def test_a_change_of_the_picture_ends_a_window_so_that_somebody_who_passes_quickly_is_not_missed():
    frames = [frame(number, pattern(2, 2.0) if number in (4, 5, 6) else pattern(1)) for number in range(12)]

    assert 4 <= selected(frames)[1] <= 6


def test_noise_changes_the_hash_little_and_another_picture_much():
    clean = np.asarray(pattern(1))
    noise = np.random.default_rng(5).normal(0, 4, clean.shape)
    noisy = np.clip(clean + noise, 0, 255).astype(np.uint8)

    assert hash_distance(perceptual_hash(clean), perceptual_hash(noisy)) <= POLICY.duplicate_bits
    assert hash_distance(perceptual_hash(clean), perceptual_hash(np.asarray(pattern(2)))) > POLICY.change_bits


shown = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 15)), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(shown, st.integers(0, 40))
def test_a_selection_that_continues_elsewhere_selects_the_same_frames(
    parts: list[tuple[int, int]], stop: int
):
    numbers = list(accumulate(count for _, count in parts))
    seeds = [seed for seed, count in parts for _ in range(count)]
    frames = [frame(number, pattern(seed, blur=number % 3)) for number, seed in enumerate(seeds)]
    assert len(frames) == numbers[-1]
    whole = list(select_frames(frames, SelectionState(), POLICY))

    state = whole[min(stop, len(whole) - 1)][1]
    rest = list(select_frames(frames, state, POLICY))

    assert [(one and one.number, after) for one, after in rest] == [
        (one and one.number, after) for one, after in whole[len(whole) - len(rest) :]
    ]
    assert len(rest) == len(whole) - min(stop, len(whole) - 1) - 1


@pytest.fixture
def noisy() -> Callable[[float], Image.Image]:
    def make(level: float) -> Image.Image:
        values = np.random.default_rng(3).normal(level, 9, (240, 320, 3))
        return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))

    return make


@pytest.mark.parametrize(("level", "is_smoothed"), [(35.0, True), (140.0, False)])
def test_the_noise_of_a_dark_frame_is_reduced(
    noisy: Callable[[float], Image.Image], level: float, is_smoothed: bool
):
    import io

    image = noisy(level)
    data = encode_frame(Frame(0, 0.0, np.asarray(image.convert("L")), lambda: image))

    deviation = float(np.asarray(Image.open(io.BytesIO(data)), np.float32).std())
    assert (deviation < 5) is is_smoothed
