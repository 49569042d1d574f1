"""A release moves only as drawn, one candidate at a time, and answers the same drop the same way."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from tests.fakes.memory import NOON
from vigil.releases.lifecycle import (
    IllegalTransition,
    ReleasePointers,
    ReleaseState,
    advance,
    promote_candidate,
    registered_state,
    release_for,
    restore_previous,
    shadow_release_for,
    start_canary,
    start_shadow,
)
from vigil.releases.manifest import (
    InvalidReleaseManifest,
    ReleaseManifest,
    format_release_manifest,
    parse_release_manifest,
    verify_file,
)

DIGEST = "f2ca1bb6c7e907d06dafe4687e579fce76b37e4e93b7605022da52e6ccc26fd2"  # of b"test\n"
MANIFEST = ReleaseManifest(
    "digits", {"model.onnx": DIGEST}, "Apache-2.0", "[model]\n", {"accuracy": 0.97}, "p", "d", "r"
)


def advanced(*steps: Any) -> ReleaseState:
    life = registered_state("digits", "r1", NOON)
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
def test_allowed_transitions_lead_to_their_stage(steps: tuple[str, ...], stage: str):
    life = advanced(*steps)

    assert life.stage == stage
    assert [move.step for move in life.history] == list(steps)


@pytest.mark.parametrize("steps", [("pass",), ("shadow", "reject", "shadow"), ("shadow", "shadow")])
def test_other_transitions_are_errors(steps: tuple[str, ...]):
    with pytest.raises(IllegalTransition):
        advanced(*steps)


def test_a_second_candidate_has_to_wait():
    with pytest.raises(IllegalTransition):
        start_shadow(ReleasePointers("a", "b"), "c")


def test_the_candidate_itself_may_start_its_shadow_again():
    assert start_shadow(ReleasePointers("a", "b"), "b", 0.5) == ReleasePointers("a", "b", shadow_share=0.5)


def test_promotion_and_rollback_restore_the_pointers():
    before = ReleasePointers("a")

    tried = start_canary(start_shadow(before, "b"), 0.1)

    assert promote_candidate(tried) == ReleasePointers("b", previous="a")
    assert restore_previous(promote_candidate(tried)) == before


def test_the_first_release_cannot_be_rolled_back():
    with pytest.raises(IllegalTransition):
        restore_previous(ReleasePointers("a"))


def test_in_shadow_the_active_release_serves_everything():
    assert {release_for(ReleasePointers("a", "b"), f"drop-{n}") for n in range(100)} == {"a"}


def test_a_canary_serves_its_share_and_a_larger_share_includes_the_smaller():
    drops = [f"drop-{n}" for n in range(2000)]
    tried = [
        {d for d in drops if release_for(ReleasePointers("a", "b", canary_share=s), d) == "b"}
        for s in (0.1, 0.3, 1.0)
    ]

    assert [len(part) / 2000 for part in tried] == pytest.approx([0.1, 0.3, 1.0], abs=0.03)
    assert all(small < large for small, large in pairwise(tried))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_shadow_processes_its_share_of_the_drops(share: float):
    pointers = ReleasePointers("a", "b", shadow_share=share)

    processed = [f"drop-{n}" for n in range(2000) if shadow_release_for(pointers, f"drop-{n}") == "b"]

    assert len(processed) / 2000 == pytest.approx(share, abs=0.03)


def test_a_manifest_round_trips_and_its_id_follows_from_its_files():
    assert parse_release_manifest(format_release_manifest(MANIFEST)) == MANIFEST
    assert replace(MANIFEST, digests={"model.onnx": "00"}).id != MANIFEST.id


def test_a_file_is_accepted_only_with_its_own_bytes():
    assert verify_file(MANIFEST, "model.onnx", b"test\n") == b"test\n"
    with pytest.raises(InvalidReleaseManifest):
        verify_file(MANIFEST, "model.onnx", b"tost\n")


@pytest.mark.parametrize("change", [(b"f2ca", b"f2cb"), (b"{", b"["), (b"licence", b"license")])
def test_a_tampered_manifest_is_rejected(change: tuple[bytes, bytes]):
    with pytest.raises(InvalidReleaseManifest):
        parse_release_manifest(format_release_manifest(MANIFEST).replace(*change))
