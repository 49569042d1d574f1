"""Releases on S3 and their rows: whole or not at all, moved by one at a time, kept as they were."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cloud.depot import Depot
from cloud.labels import DynamoLabels
from cloud.library import S3Library
from cloud.lives import DynamoLives, Overtaken
from cloud.pointers import PointersInForce
from cloud.trials import DynamoTrials
from cloud.vitals import DynamoVitals
from tests.memory import NOON
from tests.onnx_classifier import write_release
from vigil.errors import Transient
from vigil.flow.admit import pedigree_of
from vigil.flow.label import Label
from vigil.flow.releases import roll_back, tend
from vigil.learn.gates import default_gates
from vigil.learn.interval import Interval
from vigil.learn.pedigree import BadPedigree, Forgotten, Pedigree
from vigil.learn.release import Pointers, register
from vigil.learn.stages import Change, Standing
from vigil.learn.trial import Trial
from vigil.learn.vitals import Expected, Vitals

GOOD, BETTER = Interval(0.97, 0.95, 0.99, 300), Interval(0.02, 0.005, 0.03, 300)


def standing(release: str) -> Standing:
    return Standing(register("digits", release, NOON), GOOD, BETTER)


@pytest.fixture
def release(tmp_path: Path) -> tuple[Pedigree, dict[str, bytes]]:
    files = write_release(tmp_path / "made")
    return pedigree_of("tiny-colours", files, parent=None, data="d1", recipe=None), files


@pytest.fixture
def lives(table: Any) -> DynamoLives:
    return DynamoLives(table, "t")


def test_a_release_is_fetched_as_it_was_put(release: Any, bucket: Any, tmp_path: Path):
    pedigree, files = release
    depot = Depot(bucket, "bucket")
    depot.put(pedigree, files)

    depot.fetch("tiny-colours", pedigree.id, tmp_path)

    assert {name: (tmp_path / name).read_bytes() for name in files} == files
    assert depot.pedigree("tiny-colours", pedigree.id) == pedigree


def test_what_is_no_longer_in_its_data_set_is_marked_in_a_pedigree_once(release: Any, bucket: Any):
    pedigree, files = release
    depot, forgotten = Depot(bucket, "bucket"), Forgotten("c" * 16, 3, NOON)
    depot.put(pedigree, files)

    for _ in range(2):
        depot.mark("tiny-colours", pedigree.id, forgotten)

    assert depot.pedigree("tiny-colours", pedigree.id) == replace(pedigree, forgotten=(forgotten,))


def test_the_releases_that_learned_from_a_data_set_are_found(lives: DynamoLives):
    for name, data in (("b", "d1"), ("c", "d2")):
        lives.register(standing(name), bundled="a", data=data, parent="a")

    assert lives.taught_on("digits", "d1") == ("b",)


def test_of_a_shredded_object_no_version_is_left_and_of_a_manifest_the_newest(bucket: Any):
    library = S3Library(bucket, "bucket")
    for body in (b"one", b"two"):
        for key in ("data/digits/d1/test/a.png", "data/digits/d1/test/a.png.txt"):
            library.put(key, body)

    library.shred("data/digits/d1/test/a.png")
    library.shred("data/digits/d1/test/a.png.txt", but_newest=True)

    left = [(one["Key"], library.get(one["Key"])) for one in library.versions("data/")]
    assert left == [("data/digits/d1/test/a.png.txt", b"two")]
    assert (list(library.folders("data")), list(library.folders("data/digits"))) == (["digits"], ["d1"])


def test_a_file_that_was_changed_on_s3_is_refused(release: Any, bucket: Any, tmp_path: Path):
    pedigree, files = release
    Depot(bucket, "bucket").put(pedigree, files)
    bucket.put_object(Bucket="bucket", Key=f"releases/tiny-colours/{pedigree.id}/model.onnx", Body=b"other")

    with pytest.raises(BadPedigree):
        Depot(bucket, "bucket").fetch("tiny-colours", pedigree.id, tmp_path)


def test_a_release_that_is_not_there_is_the_worlds_fault(bucket: Any, tmp_path: Path):
    with pytest.raises(Transient):
        Depot(bucket, "bucket").fetch("tiny-colours", "0" * 16, tmp_path)


def test_a_release_is_registered_once_and_the_bundled_one_becomes_active(lives: DynamoLives):
    new = [lives.register(standing("b"), bundled="a", data="d1", parent="a") for _ in range(2)]

    book = lives.book("digits")
    assert new == [True, False]
    assert (book.pointers, book.standings) == (Pointers("a"), (standing("b"),))
    assert lives.models() == ("digits",)


def test_steps_are_kept_with_their_reasons_and_seen_by_the_lanes(lives: DynamoLives, table: Any):
    lives.register(standing("b"), bundled="a", data="d1", parent="a")
    trials, look = DynamoTrials(table, "t"), PointersInForce(table, "t", fresh_s=0.0)

    moved = tend("digits", lives, trials, DynamoVitals(table, "t"), default_gates(), now=NOON)

    assert [life.stage for life in moved] == ["shadow"]
    assert lives.book("digits").standings[0].life == moved[0]
    assert look("digits") == Pointers("a", "b", beside=0.5)


def test_the_second_of_two_who_move_the_pointers_is_overtaken(lives: DynamoLives):
    lives.register(standing("b"), bundled="a", data="d1", parent=None)
    book = lives.book("digits")
    change = Change(replace(book.pointers, active="b"), ())
    lives.move(book, change)

    with pytest.raises(Overtaken):
        lives.move(book, change)


def test_a_roll_back_by_hand_leads_to_the_former_release(lives: DynamoLives):
    lives.register(standing("b"), bundled="a", data="d1", parent=None)
    book = lives.book("digits")
    active = replace(book.standings[0].life, stage="active")
    lives.move(book, Change(Pointers("b", former="a"), (active,)))

    moved = roll_back("digits", lives, now=NOON, reason="by hand")

    assert [(life.id, life.stage) for life in moved] == [("b", "rolled-back")]
    assert lives.book("digits").pointers == Pointers("a")


def test_trials_count_once_a_drop_and_only_since_the_stage_began(table: Any):
    trials = DynamoTrials(table, "t")
    trial = Trial("digits", "b", "d1", True, False, False, 4.5, 5.5)
    for _ in range(2):
        trials.note(trial, NOON)

    assert trials.seen("digits", "b", NOON) == (trial,)
    assert trials.seen("digits", "b", NOON.replace(hour=13)) == ()


def test_what_is_expected_of_a_promoted_release_is_known_to_the_lanes(lives: DynamoLives, table: Any):
    expected = Pointers("b", former="a", expected=Expected(ms=12.5, unsure=0.25))
    lives.register(standing("b"), bundled="a", data="d1", parent=None)
    lives.move(lives.book("digits"), Change(expected, ()))

    assert lives.book("digits").pointers == PointersInForce(table, "t", fresh_s=0.0)("digits") == expected


def test_vitals_add_up_by_ten_seconds_and_are_read_from_the_newest_back(table: Any):
    vitals = DynamoVitals(table, "t")
    for second in (0, 9, 10):
        vitals.add("digits", "b", Vitals(looks=4, slow=1, unsure=2), NOON + timedelta(seconds=second))

    assert list(vitals.newest("digits", "b", NOON)) == [Vitals(4, 1, 2), Vitals(8, 2, 4)]
    assert list(vitals.newest("digits", "b", NOON + timedelta(seconds=5))) == [Vitals(4, 1, 2)]
    assert list(vitals.newest("digits", "other", NOON)) == []


def test_a_models_labels_are_found_again_and_the_last_word_counts(table: Any):
    labels = DynamoLabels(table, "t")
    first = Label("d1", "digits", "door", "7", "one", NOON)
    for label in (first, replace(first, label="1", by="two"), replace(first, drop="d2", model="other")):
        labels.keep(label)

    assert list(labels.of("digits")) == [replace(first, label="1", by="two")]


def test_labels_given_or_changed_since_a_lesson_are_told_from_those_before(table: Any):
    labels = DynamoLabels(table, "t")
    first, second = (Label(f"d{n}", "digits", "door", "7", "one", NOON) for n in (1, 2))
    for label in (first, second, later := replace(first, label="1", at=NOON + timedelta(seconds=1))):
        labels.keep(label)

    assert list(labels.of("digits", since=NOON + timedelta(milliseconds=1))) == [later]
    assert set(labels.of("digits", since=NOON)) == {later, second}


def test_while_the_table_is_away_the_pointers_known_last_are_in_force(lives: DynamoLives, table: Any):
    lives.register(standing("b"), bundled="a", data="d1", parent=None)
    look = PointersInForce(table, "t", fresh_s=0.0)
    known = look("digits")
    table.delete_table(TableName="t")

    assert (known, look("digits"), look("unheard")) == (Pointers("a"), Pointers("a"), Pointers())
