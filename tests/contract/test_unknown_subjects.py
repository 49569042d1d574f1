"""Faces of strangers, each in the space of the release that saw it: compared there, taken out of there."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from cloud.dynamodb.ledger import DynamoLedger
from cloud.dynamodb.queries import Table
from cloud.dynamodb.unknown_subjects import DynamoUnknownFaces, read_window
from tests.fakes.memory import NOON
from vigil.alerts.unknown_subjects import UnknownSubjects, assign_subject
from vigil.drops.ledger import Lease, ProcessingResult
from vigil.drops.messages import Drop, S3Object
from vigil.errors import ConcurrentUpdate
from vigil.inference.types import Prediction, Sighting

FACE = np.array([0.6, 0.8], np.float32)
SINCE = NOON - timedelta(days=1)


@pytest.fixture
def unknown_faces(table: Any) -> DynamoUnknownFaces:
    """One and the same vector, seen by releases of two spaces."""
    ledger = DynamoLedger(table, "t", lane="live", retention=timedelta(days=1))
    for space in ("old", "new"):
        drop = Drop(space, "faces", "vault", S3Object("b", f"live/faces/vault/{space}.jpg", "v1"), NOON)
        claim = ledger.claim(drop, owner="w", now=NOON, until=NOON)
        assert isinstance(claim, Lease)
        seen = Sighting("unknown", "unknown", vector=FACE, embedding_space=space, same_subject_threshold=0.5)
        result = ProcessingResult(Prediction((seen,), 1), "r", (), None, {}, store_unknown_faces=True)
        ledger.save_result(claim, drop, result, now=NOON)
    return DynamoUnknownFaces(table, "t")


def stored_spaces(unknown_faces: DynamoUnknownFaces) -> set[str]:
    return {one.embedding_space for one in unknown_faces.stored_faces(since=SINCE)}


def test_a_face_is_somebodys_only_within_its_space(unknown_faces: DynamoUnknownFaces):
    assert stored_spaces(unknown_faces) == {"old", "new"}

    assert unknown_faces.remove_matching({"new": FACE[np.newaxis]}, since=SINCE) == 1

    assert stored_spaces(unknown_faces) == {"old"}


def test_what_lies_in_a_space_that_is_out_of_use_is_taken_out(unknown_faces: DynamoUnknownFaces):
    assert unknown_faces.remove_spaces({"old"}, since=SINCE) == 1

    assert stored_spaces(unknown_faces) == {"new"}


WINDOW = "2026-03-02T12:00:00+00:00#new"


@pytest.fixture
def window(table: Any) -> UnknownSubjects:
    """Two strangers of a window, the second of whom is FACE."""
    vectors = np.array([[1, 0], FACE], np.float32)
    save_window(
        table, "d1", UnknownSubjects("vault", WINDOW, 0, ("s1", "s2"), vectors, same_subject_threshold=0.9)
    )
    return read_window(Table(table, "t"), "vault", WINDOW)


def save_window(table: Any, name: str, strangers: UnknownSubjects) -> None:
    ledger = DynamoLedger(table, "t", lane="live", retention=timedelta(days=1))
    drop = Drop(name, "faces", "vault", S3Object("b", f"live/faces/vault/{name}.jpg", "v1"), NOON)
    claim = ledger.claim(drop, owner="w", now=NOON, until=NOON)
    assert isinstance(claim, Lease)
    ledger.save_result(claim, drop, ProcessingResult(Prediction((), 0), "r", (), strangers, {}), now=NOON)


@pytest.mark.parametrize(
    ("faces", "left"),
    [
        ({"new": [FACE]}, ("s1",)),
        ({"new": [FACE, [1, 0]]}, ()),
        ({"new": [[0, 1]]}, ("s1", "s2")),
        ({"old": [FACE]}, ("s1", "s2")),
    ],
    ids=["them", "all", "nobody alike", "another space"],
)
def test_matching_subjects_are_removed_from_a_window(
    table: Any, window: UnknownSubjects, faces: dict[str, Any], left: tuple[str, ...]
):
    vectors = {space: np.array(rows, np.float32) for space, rows in faces.items()}

    forgotten = DynamoUnknownFaces(table, "t").remove_matching(vectors, since=SINCE)

    assert forgotten == 2 - len(left)
    assert read_window(Table(table, "t"), "vault", WINDOW).ids == left


def test_a_lane_that_read_the_window_before_does_not_bring_them_back(table: Any, window: UnknownSubjects):
    DynamoUnknownFaces(table, "t").remove_matching({"new": FACE[np.newaxis]}, since=SINCE)

    with pytest.raises(ConcurrentUpdate):
        save_window(table, "d2", window)

    assert read_window(Table(table, "t"), "vault", WINDOW).ids == ("s1",)


class ConcurrentWriter:
    """DynamoDB, where something comes in before the first update."""

    def __init__(self, client: Any, crossing: Any) -> None:
        self._client, self._crossing = client, [crossing]

    def __getattr__(self, name: str) -> Any:
        if name == "update_item" and self._crossing:
            self._crossing.pop()()
        return getattr(self._client, name)


def test_a_window_that_a_lane_adds_to_meanwhile_is_read_anew(table: Any, window: UnknownSubjects):
    _, bigger = assign_subject(window, np.array([0, -1], np.float32), same_subject_threshold=0.9, new_id="s3")
    crossed = ConcurrentWriter(table, lambda: save_window(table, "d2", bigger))

    assert DynamoUnknownFaces(crossed, "t").remove_matching({"new": FACE[np.newaxis]}, since=SINCE) == 1

    assert read_window(Table(table, "t"), "vault", WINDOW).ids == ("s1", "s3")
