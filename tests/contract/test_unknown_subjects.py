"""Faces of strangers, each in the space of the release that saw it: compared there, taken out of there."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from cloud.dynamodb import queries
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
    for space in ("old", "new"):
        seen = Sighting("unknown", "unknown", vector=FACE, embedding_space=space, same_subject_threshold=0.5)
        save_faces(table, space, [seen])
    return DynamoUnknownFaces(table, "faces")


def save_faces(
    table: Any, name: str, seen: Sequence[Sighting], *, now: datetime = NOON, days: int = 1
) -> None:
    """Save a drop of a source whose rules store unknown faces."""
    prediction = Prediction(tuple(seen), 1)
    result = ProcessingResult(prediction, "r", (), None, {}, store_unknown_faces=True)
    save_drop(table, name, result, now, days)


def save_drop(table: Any, name: str, result: ProcessingResult, now: datetime, days: int = 1) -> None:
    ledger = DynamoLedger(table, "t", faces="faces", lane="live", retention=timedelta(days=days))
    drop = Drop(name, "faces", "vault", S3Object("b", f"live/faces/vault/{name}.jpg", "v1"), now)
    claim = ledger.claim(drop, owner="w", now=now, until=now)
    assert isinstance(claim, Lease)
    ledger.save_result(claim, drop, result, now=now)


def stored_spaces(unknown_faces: DynamoUnknownFaces) -> set[str]:
    return {one.embedding_space for one in unknown_faces.stored_faces(since=SINCE, until=NOON)}


def test_a_face_is_somebodys_only_within_its_space(unknown_faces: DynamoUnknownFaces):
    assert stored_spaces(unknown_faces) == {"old", "new"}

    assert unknown_faces.remove_matching({"new": FACE[np.newaxis]}, {}) == (1, {})

    assert stored_spaces(unknown_faces) == {"old"}


def test_what_lies_in_a_space_that_is_out_of_use_is_taken_out(unknown_faces: DynamoUnknownFaces):
    assert unknown_faces.remove_spaces({"old"}) == 1

    assert stored_spaces(unknown_faces) == {"new"}


WINDOW = "2026-03-02T12:00:00+00:00#new"


@pytest.fixture
def window(table: Any) -> UnknownSubjects:
    """Two strangers of a window, the second of whom is FACE."""
    vectors = np.array([[1, 0], FACE], np.float32)
    save_window(table, "d1", UnknownSubjects("vault", WINDOW, 0, ("s1", "s2"), vectors, 0.9, ("s1", "s2")))
    return read_window(Table(table, "faces"), "vault", WINDOW)


def save_window(table: Any, name: str, strangers: UnknownSubjects, *, now: datetime = NOON) -> None:
    save_drop(table, name, ProcessingResult(Prediction((), 0), "r", (), strangers, {}), now)


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

    forgotten, _ = DynamoUnknownFaces(table, "faces").remove_matching(vectors, {})

    assert forgotten == 2 - len(left)
    assert read_window(Table(table, "faces"), "vault", WINDOW).ids == left


def test_a_lane_that_read_the_window_before_does_not_bring_them_back(table: Any, window: UnknownSubjects):
    DynamoUnknownFaces(table, "faces").remove_matching({"new": FACE[np.newaxis]}, {})
    _, bigger = assign_subject(window, np.array([0, -1], np.float32), same_subject_threshold=0.9, new_id="s3")

    save_window(table, "d2", bigger)

    assert read_window(Table(table, "faces"), "vault", WINDOW).ids == ("s1", "s3")


def test_two_frames_that_saw_one_new_person_do_not_make_two_subjects(table: Any, window: UnknownSubjects):
    new = np.array([0, -1], np.float32)
    (_, first), (_, second) = (
        assign_subject(window, new, same_subject_threshold=0.9, new_id=ident) for ident in ("s3", "s4")
    )
    save_window(table, "d2", first)

    with pytest.raises(ConcurrentUpdate):
        save_window(table, "d3", second)


def test_a_stored_face_is_found_until_its_time_is_over_and_then_deleted(
    table: Any, unknown_faces: DynamoUnknownFaces, monkeypatch: pytest.MonkeyPatch
):
    """DynamoDB returns a row for days after its time to live; moto deletes none."""
    later = NOON + timedelta(days=1, seconds=1)
    assert unknown_faces.remove_expired(NOON, {}) == (0, {})

    monkeypatch.setattr(queries, "now_s", later.timestamp)

    assert stored_spaces(unknown_faces) == set()
    assert unknown_faces.remove_expired(later, {}) == (2, {})
    assert table.scan(TableName="faces")["Items"] == []


def test_an_expired_subject_is_not_recognised_and_its_window_can_be_used_again(
    table: Any, window: UnknownSubjects, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queries, "now_s", (NOON + timedelta(days=2)).timestamp)

    emptied = read_window(Table(table, "faces"), "vault", WINDOW)
    _, seen = assign_subject(emptied, FACE, same_subject_threshold=0.9, new_id="s9")
    save_window(table, "d9", seen, now=NOON + timedelta(days=2))

    assert (emptied.ids, emptied.revision) == ((), 0)
    assert read_window(Table(table, "faces"), "vault", WINDOW).ids == ("s9",)


def test_one_face_of_several_of_a_drop_is_removed(table: Any):
    other = np.array([1, 0], np.float32)
    seen = [
        Sighting("unknown", "unknown", vector=one, embedding_space="new", same_subject_threshold=0.9)
        for one in (other, FACE, other)
    ]
    save_faces(table, "d1", seen)
    unknown_faces = DynamoUnknownFaces(table, "faces")

    assert unknown_faces.remove_matching({"new": FACE[np.newaxis]}, {}) == (1, {})

    left = list(unknown_faces.stored_faces(since=SINCE, until=NOON))
    assert [one.sighting_index for one in left] == [0, 2]
    np.testing.assert_allclose([one.vector for one in left], [other, other], atol=1e-3)


def test_stored_faces_are_read_newest_first_over_several_days(table: Any):
    for day in range(4):
        face = Sighting("unknown", "unknown", vector=FACE, embedding_space="new", same_subject_threshold=0.9)
        save_faces(table, f"d{day}", [face], now=NOON - timedelta(days=day), days=9)

    found = DynamoUnknownFaces(table, "faces").stored_faces(since=NOON - timedelta(days=2), until=NOON)

    assert [one.drop for one in found] == ["d0", "d1", "d2"]


def test_a_search_of_the_whole_table_says_where_each_face_is(
    unknown_faces: DynamoUnknownFaces, window: UnknownSubjects
):
    found = dict(unknown_faces.matches("new", FACE))

    assert {place.split(":")[0]: matches for place, matches in found.items()} == {
        "sighting new-0": True,
        "unknown subjects of vault, 2026-03-02T12": True,
    }
    assert sorted(found.values()) == [False, True, True]
