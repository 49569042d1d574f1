"""Faces of strangers, each in the space of the release that saw it: compared there, taken out of there."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from cloud.ledger import DynamoLedger
from cloud.strangers import DynamoStrangers
from cloud.windows import window_of
from tests.memory import NOON
from vigil.drops import Drop, Object
from vigil.seeing import Scene, Sighting
from vigil.steady.ledger import Claim, Overtaken, Result
from vigil.watch.strangers import Strangers, recognise

FACE = np.array([0.6, 0.8], np.float32)
SINCE = NOON - timedelta(days=1)


@pytest.fixture
def strangers(table: Any) -> DynamoStrangers:
    """One and the same vector, seen by releases of two spaces."""
    ledger = DynamoLedger(table, "t", lane="live", retention=timedelta(days=1))
    for space in ("old", "new"):
        drop = Drop(space, "faces", "vault", Object("b", f"live/faces/vault/{space}.jpg", "v1"), NOON)
        claim = ledger.claim(drop, owner="w", now=NOON, until=NOON)
        assert isinstance(claim, Claim)
        seen = Sighting("unknown", "unknown", vector=FACE, space=space, same_as=0.5)
        result = Result(Scene((seen,), 1), "r", (), None, {}, remember=True)
        ledger.keep(claim, drop, result, now=NOON)
    return DynamoStrangers(table, "t")


def spaces(strangers: DynamoStrangers) -> set[str]:
    return {one.space for one in strangers.remembered(since=SINCE)}


def test_a_face_is_somebodys_only_within_its_space(strangers: DynamoStrangers):
    assert spaces(strangers) == {"old", "new"}

    assert strangers.forget_alike({"new": FACE[np.newaxis]}, since=SINCE) == 1

    assert spaces(strangers) == {"old"}


def test_what_lies_in_a_space_that_is_out_of_use_is_taken_out(strangers: DynamoStrangers):
    assert strangers.forget_spaces({"old"}, since=SINCE) == 1

    assert spaces(strangers) == {"new"}


WINDOW = "2026-03-02T12:00:00+00:00#new"


@pytest.fixture
def window(table: Any) -> Strangers:
    """Two strangers of a window, the second of whom is FACE."""
    vectors = np.array([[1, 0], FACE], np.float32)
    keep(table, "d1", Strangers("vault", WINDOW, 0, ("s1", "s2"), vectors, same_as=0.9))
    return window_of(table, "t", "vault", WINDOW)


def keep(table: Any, name: str, strangers: Strangers) -> None:
    ledger = DynamoLedger(table, "t", lane="live", retention=timedelta(days=1))
    drop = Drop(name, "faces", "vault", Object("b", f"live/faces/vault/{name}.jpg", "v1"), NOON)
    claim = ledger.claim(drop, owner="w", now=NOON, until=NOON)
    assert isinstance(claim, Claim)
    ledger.keep(claim, drop, Result(Scene((), 0), "r", (), strangers, {}), now=NOON)


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
def test_a_window_of_strangers_forgets_who_is_alike(
    table: Any, window: Strangers, faces: dict[str, Any], left: tuple[str, ...]
):
    vectors = {space: np.array(rows, np.float32) for space, rows in faces.items()}

    forgotten = DynamoStrangers(table, "t").forget_alike(vectors, since=SINCE)

    assert forgotten == 2 - len(left)
    assert window_of(table, "t", "vault", WINDOW).ids == left


def test_a_lane_that_read_the_window_before_does_not_bring_them_back(table: Any, window: Strangers):
    DynamoStrangers(table, "t").forget_alike({"new": FACE[np.newaxis]}, since=SINCE)

    with pytest.raises(Overtaken):
        keep(table, "d2", window)

    assert window_of(table, "t", "vault", WINDOW).ids == ("s1",)


class Crossed:
    """DynamoDB, where something comes in before the first update."""

    def __init__(self, client: Any, crossing: Any) -> None:
        self._client, self._crossing = client, [crossing]

    def __getattr__(self, name: str) -> Any:
        if name == "update_item" and self._crossing:
            self._crossing.pop()()
        return getattr(self._client, name)


def test_a_window_that_a_lane_adds_to_meanwhile_is_read_anew(table: Any, window: Strangers):
    _, bigger = recognise(window, np.array([0, -1], np.float32), same_as=0.9, new_id="s3")
    crossed = Crossed(table, lambda: keep(table, "d2", bigger))

    assert DynamoStrangers(crossed, "t").forget_alike({"new": FACE[np.newaxis]}, since=SINCE) == 1

    assert window_of(table, "t", "vault", WINDOW).ids == ("s1", "s3")
