"""A classifier is examined on held-out items by what it would serve."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.memory import NOON
from vigil.learn.exam import examine, measured
from vigil.learn.example import Entry


@dataclass(frozen=True)
class Parrot:
    """Says what the data say, or the opposite."""

    labels: tuple[str, ...] = ("a", "b")
    threshold: float = 0.5
    wrong: bool = False

    def scores(self, data: bytes) -> NDArray[np.float32]:
        said = [float(data.decode() == label) for label in self.labels]
        return np.array(said[::-1] if self.wrong else said, np.float32)


ITEMS = tuple(
    (Entry(f"{n}.png", "", label, "test", f"g{n}", "reviewer", NOON), label.encode())
    for n, label in enumerate("ab" * 50)
)


def test_a_candidate_is_measured_beside_the_active_release_on_the_same_items():
    metric, gain = measured(Parrot(), Parrot(wrong=True), ITEMS)

    assert gain is not None
    assert (metric.value, metric.items, gain.value) == (1.0, 100, 1.0)


def test_the_first_of_a_model_has_nobody_beside_it():
    assert measured(Parrot(wrong=True), None, ITEMS)[1] is None


def test_a_label_that_a_release_does_not_know_is_one_that_it_gets_wrong():
    scored = examine(Parrot(labels=("a", "c")), ITEMS)

    assert (scored.said == scored.truth).mean() == pytest.approx(0.5)


def test_a_release_with_one_label_says_it_or_the_other():
    scored = examine(Parrot(labels=("b",)), ITEMS)

    assert scored.labels == ("a", "b")
    assert (scored.said == scored.truth).all()
