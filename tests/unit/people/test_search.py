"""A search for a face compares the newest faces first and ends in time."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fakes.memory import NOON, FakeModel
from tests.unit.people.builders import SPACE, unit_vector
from vigil.alerts.unknown_subjects import StoredFace
from vigil.inference.types import Prediction, Sighting
from vigil.people.search import MAX_HITS, NeedExactlyOneFace, extract_probe, search_faces

SINCE = NOON - timedelta(days=7)
ADA = unit_vector("ada")


def stored(number: int) -> StoredFace:
    at = NOON - timedelta(minutes=number)
    return StoredFace(f"d{number}", 0, "door", at, ADA, SPACE, same_subject_threshold=0.5)


def model() -> FakeModel:
    return FakeModel(Prediction((Sighting("unknown", "unknown", vector=ADA, embedding_space=SPACE),), 1))


def test_a_search_that_has_time_covers_what_was_asked_for():
    found = search_faces(b"", model(), map(stored, range(100)), since=SINCE, has_time=lambda: True)

    assert (len(found.hits), found.searched_since) == (MAX_HITS, SINCE)


@pytest.mark.parametrize("space", ["", "0" + SPACE, SPACE + "0", "~"])
def test_faces_of_another_embedding_space_are_not_compared(space: str):
    other = replace(stored(1), embedding_space=space)

    found = search_faces(b"", model(), [other, stored(2)], since=SINCE, has_time=lambda: True)

    assert [hit.face.drop for hit in found.hits] == ["d2"]


def test_a_search_without_an_end_ends_in_time_and_says_how_far_it_came():
    def without_end() -> Iterator[StoredFace]:
        number = 0
        while True:
            yield stored(number)
            number += 1

    times = iter([True] * 10)

    found = search_faces(b"", model(), without_end(), since=SINCE, has_time=lambda: next(times, False))

    assert [one.face.drop for one in found.hits] == [f"d{number}" for number in range(10)]
    assert found.searched_since == NOON - timedelta(minutes=10)


FIT = Sighting("unknown", "unknown", vector=ADA, embedding_space=SPACE)
UNFIT = Sighting("unfit", "unfit", vector=ADA, embedding_space=SPACE)
WITHOUT_VECTOR = Sighting("unknown", "unknown")


def test_the_probe_is_the_one_face_that_can_be_compared():
    probe = extract_probe([UNFIT, FIT, WITHOUT_VECTOR])

    assert (probe.vector is ADA, probe.embedding_space) == (True, SPACE)


@pytest.mark.parametrize("sightings", [[], [UNFIT], [WITHOUT_VECTOR], [FIT, FIT]])
def test_a_search_without_exactly_one_comparable_face_is_refused(sightings: list[Sighting]):
    with pytest.raises(NeedExactlyOneFace):
        extract_probe(sightings)
