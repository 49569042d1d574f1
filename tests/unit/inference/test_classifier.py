"""The raw output of a classifier becomes probabilities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.inference.classifier import (
    ACTIVATIONS,
    probabilities,
    sigmoid,
    softmax,
)

RAW = st.lists(st.floats(-500, 500, width=32), min_size=1, max_size=12)


@pytest.mark.parametrize("head", ACTIVATIONS.values(), ids=ACTIVATIONS.keys())
@given(raw=RAW)
def test_scores_are_probabilities_for_any_raw_output(head, raw: list[float]):
    scores = head(np.array(raw, np.float32))

    assert np.isfinite(scores).all()
    assert ((scores >= 0) & (scores <= 1)).all()


@given(raw=RAW)
def test_softmax_adds_up_to_one_and_keeps_the_order(raw: list[float]):
    scores = softmax(np.array(raw, np.float32))

    assert scores.sum() == pytest.approx(1, abs=1e-5)
    assert scores[int(np.argmax(raw))] == scores.max()


def test_sigmoid_is_a_half_at_zero():
    assert sigmoid(np.zeros(1, np.float32))[0] == pytest.approx(0.5)


def test_probabilities_are_not_changed():
    np.testing.assert_allclose(probabilities(np.array([0.2, 1.0000001], np.float32)), [0.2, 1.0])
