"""A release moves only as drawn, one candidate at a time, and answers the same drop the same way."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from tests.memory import NOON
from vigil.learn import pedigree, release
from vigil.learn.pedigree import BadPedigree, Pedigree
from vigil.learn.release import IllegalMove, Pointers, advance, answers, register

DIGEST = "f2ca1bb6c7e907d06dafe4687e579fce76b37e4e93b7605022da52e6ccc26fd2"  # of b"test\n"
PEDIGREE = Pedigree(
    "digits", {"model.onnx": DIGEST}, "Apache-2.0", "[model]\n", {"accuracy": 0.97}, "p", "d", "r"
)


def walk(*steps: Any) -> release.Life:
    life = register("digits", "r1", NOON)
    for step in steps:
        life = advance(life, step, now=NOON)
    return life


@pytest.mark.parametrize(
    ("steps", "stage"),
    [
        (("shadow", "pass", "pass", "replace"), "retired"),
        (("shadow", "pass", "pass", "replace", "restore"), "active"),
        (("shadow", "reject"), "rejected"),
        (("shadow", "pass", "roll-back"), "rolled-back"),
        (("shadow", "pass", "pass", "roll-back"), "rolled-back"),
    ],
)
def test_a_life_goes_as_it_is_drawn(steps: tuple[str, ...], stage: str):
    life = walk(*steps)

    assert life.stage == stage
    assert [move.step for move in life.history] == list(steps)


@pytest.mark.parametrize("steps", [("pass",), ("shadow", "reject", "shadow"), ("shadow", "shadow")])
def test_no_other_step_is_taken(steps: tuple[str, ...]):
    with pytest.raises(IllegalMove):
        walk(*steps)


def test_a_second_candidate_has_to_wait():
    with pytest.raises(IllegalMove):
        release.shadowed(Pointers("a", "b"), "c")


def test_promotion_and_roll_back_end_where_they_began():
    before = Pointers("a")

    tried = release.tried(release.shadowed(before, "b"), 0.1)

    assert release.promoted(tried) == Pointers("b", former="a")
    assert release.rolled_back(release.promoted(tried)) == before


def test_there_is_no_way_back_from_the_first():
    with pytest.raises(IllegalMove):
        release.rolled_back(Pointers("a"))


def test_in_shadow_the_active_release_answers_everything():
    assert {answers(Pointers("a", "b"), f"drop-{n}") for n in range(100)} == {"a"}


def test_a_canary_answers_its_share_and_a_larger_share_includes_the_smaller():
    drops = [f"drop-{n}" for n in range(2000)]
    tried = [{d for d in drops if answers(Pointers("a", "b", share=s), d) == "b"} for s in (0.1, 0.3, 1.0)]

    assert [len(part) / 2000 for part in tried] == pytest.approx([0.1, 0.3, 1.0], abs=0.03)
    assert all(small < large for small, large in pairwise(tried))


def test_a_pedigree_reads_back_and_its_id_is_its_files():
    assert pedigree.read(pedigree.written(PEDIGREE)) == PEDIGREE
    assert replace(PEDIGREE, digests={"model.onnx": "00"}).id != PEDIGREE.id


def test_a_file_is_let_in_only_with_its_own_bytes():
    assert pedigree.check(PEDIGREE, "model.onnx", b"test\n") == b"test\n"
    with pytest.raises(BadPedigree):
        pedigree.check(PEDIGREE, "model.onnx", b"tost\n")


@pytest.mark.parametrize("change", [("f2ca", "f2cb"), ("{", "["), ("quality", "qualities")])
def test_a_tampered_pedigree_is_refused(change: tuple[str, str]):
    with pytest.raises(BadPedigree):
        pedigree.read(pedigree.written(PEDIGREE).replace(*change))
