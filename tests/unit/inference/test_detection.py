"""Boxes from distributions over distances, and suppression by label."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.inference.detection import decode_distributions, suppress_by_label

BINS = 8


def test_a_certain_distance_is_its_bin_in_cells():
    logits = np.full((1, 6, 4 * BINS), -50, np.float32).reshape(6, 4, BINS)
    logits[:, [0, 1, 2, 3], [1, 2, 3, 4]] = 50  # left 1, top 2, right 3, bottom 4 cells

    boxes = decode_distributions([logits.reshape(1, 6, -1)], (48, 32), [16])

    centres = [(8 + 16 * column, 8 + 16 * row) for row in range(2) for column in range(3)]
    expected = [(x - 16, y - 32, x + 48, y + 64) for x, y in centres]
    np.testing.assert_allclose(boxes, expected, atol=1e-3)


def test_an_even_distribution_is_its_mean():
    boxes = decode_distributions([np.zeros((1, 4 * BINS), np.float32)], (8, 8), [8])

    mean = (BINS - 1) / 2 * 8
    np.testing.assert_allclose(boxes, [[4 - mean, 4 - mean, 4 + mean, 4 + mean]])


def test_tensors_that_do_not_fit_the_strides_are_refused():
    with pytest.raises(ValueError, match="5 cells where stride 16 has 4"):
        decode_distributions([np.zeros((5, 4 * BINS), np.float32)], (32, 32), [16])
    with pytest.raises(ValueError, match="zip"):
        decode_distributions([], (32, 32), [16])


def test_boxes_of_different_labels_may_overlap_and_those_of_one_label_not():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 1, 10, 11]], np.float32)
    scores = np.array([0.5, 0.9, 0.7], np.float32)

    selected = suppress_by_label(boxes, scores, np.array([0, 0, 1]), 0.5)

    assert selected.tolist() == [1, 2]
    assert suppress_by_label(boxes[:0], scores[:0], np.zeros(0, np.int64), 0.5).tolist() == []


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50), st.integers(0, 3)), max_size=20))
def test_suppression_by_label_is_suppression_of_each_label_alone(places: list[tuple[int, int, int]]):
    corners = np.array([place[:2] for place in places], np.float32).reshape(-1, 2)
    boxes = np.concatenate([corners, corners + np.float32(20)], axis=1)
    labels = np.array([place[2] for place in places], np.int64)
    scores = np.linspace(1, 0, len(places), dtype=np.float32)

    together = suppress_by_label(boxes, scores, labels, 0.4)

    alone = [
        index
        for label in range(4)
        for place in [np.flatnonzero(labels == label)]
        for index in place[suppress_by_label(boxes[place], scores[place], labels[place] * 0, 0.4)].tolist()
    ]
    assert sorted(together.tolist()) == sorted(alone)
