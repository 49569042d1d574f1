"""Faces of strangers, each in the space of the release that saw it: compared there, taken out of there."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from cloud.ledger import DynamoLedger
from cloud.strangers import DynamoStrangers
from tests.memory import NOON
from vigil.drops import Drop, Object
from vigil.seeing import Scene, Sighting
from vigil.steady.ledger import Claim, Result

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
