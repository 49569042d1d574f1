"""Sketches add up by the hour, whoever adds; what was not there is zero."""

from datetime import timedelta
from typing import Any

import numpy as np

from cloud.sketches import DynamoSketches, read, written
from functions.noticing import Noticing
from tests.memory import NOON
from vigil.drops import Drop, Inline
from vigil.errors import Transient
from vigil.learn.sketch import Sketch, sketched
from vigil.seeing import Scene, Sighting

SEEN = (Sighting("p", "known", 0.8, vector=np.full(4, 0.5, np.float32)), Sighting("unknown", "unknown", 0.1))
SKETCH = sketched(SEEN)


def same(one: Sketch, other: Sketch) -> bool:
    counts = [(each.items, each.unknown, each.scores, each.vectors) for each in (one, other)]
    return counts[0] == counts[1] and bool(np.allclose(one.waves, other.waves, atol=1e-5))


def test_what_containers_add_is_summed_up_by_release(table: Any):
    sketches = DynamoSketches(table, "t")
    for minutes in (0, 30, 70):
        sketches.add("faces", "r1", SKETCH, NOON + timedelta(minutes=minutes))
    sketches.add("faces", "r2", SKETCH, NOON)

    assert same(sketches.since("faces", "r1", NOON + timedelta(minutes=40)), SKETCH + SKETCH + SKETCH)
    assert same(sketches.since("faces", "r1", NOON + timedelta(minutes=60)), SKETCH)
    assert sketches.since("faces", "r3", NOON) == Sketch()
    assert sorted(sketches.known()) == [("faces", "r1"), ("faces", "r2")]


def test_a_sketch_is_read_as_it_was_written():
    assert same(read(written(SKETCH)), SKETCH)
    assert read({}) == Sketch()


def test_a_containers_sketches_are_told_together_and_again_where_that_failed():
    told: list[Sketch] = []
    away = [True]

    def tell(model: str, release: str, sketch: Sketch, now: Any) -> None:
        if away.pop() if away else False:
            raise Transient("away")
        told.append(sketch)

    noticing = Noticing(tell)
    for source in ("door", "door", "canary"):
        noticing.notice(Drop("d", "faces", source, Inline(b""), NOON), "r1", Scene(SEEN, 2))
    failed = _raises(noticing)
    noticing._last = float("-inf")
    noticing.flush(NOON)
    noticing.flush(NOON)

    assert failed
    assert [same(one, SKETCH + SKETCH) for one in told] == [True]


def _raises(noticing: Noticing) -> bool:
    try:
        noticing.flush(NOON)
    except Transient:
        return True
    return False
