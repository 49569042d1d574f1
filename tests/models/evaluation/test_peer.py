"""The peer of the benchmark decides about the same photographs with a threshold made in the same way."""

import numpy as np
import pytest

from tests.benchmark.baseline_face_recognition import BaselineResult
from tests.benchmark.recognition import EncodedPhoto, baseline_decisions

HALVES = {"ann": 0, "eve": 0, "bob": 1, "joe": 1}


def _photo(subject: str, *, is_enrolled: bool, offset: float) -> EncodedPhoto:
    """People are ten apart; the photographs of one lie around their place."""
    place = 10 * sorted(HALVES).index(subject) + offset
    return EncodedPhoto(subject, is_enrolled, np.array([place, 0.0]))


def test_enrolled_people_get_their_name_and_strangers_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tests.benchmark.recognition.half_of", HALVES.__getitem__)
    people = [_photo(name, is_enrolled=True, offset=offset) for name in ("ann", "bob") for offset in (0, 0.5)]
    strangers = [_photo(name, is_enrolled=False, offset=0) for name in ("eve", "joe")]

    shares = baseline_decisions([*people, *strangers, EncodedPhoto("bob", True, None)])

    assert shares == {"right": pytest.approx(2 / 3), "wrong": 0, "unenrolled_named": 0}


def test_the_face_nearest_to_the_middle_is_the_person_s():
    boxes = np.array([[0, 0, 20, 20], [40, 40, 60, 60]], np.float64)
    result = BaselineResult(1.0, np.array([[1.0], [2.0]]), boxes, (100, 100))

    assert result.main_encoding == np.array([2.0])
    assert BaselineResult(1.0, np.empty((0, 1)), np.empty((0, 4)), (9, 9)).main_encoding is None
