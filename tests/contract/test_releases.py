"""Releases on S3 and their rows: whole or not at all, moved by one at a time, kept as they were."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cloud.dynamodb.counters import DynamoComparisons, DynamoReleaseHealth
from cloud.dynamodb.pointers import CachedPointers
from cloud.dynamodb.releases import DynamoReleases
from cloud.dynamodb.reviews import DynamoLabels
from cloud.s3.objects import S3ObjectStore, S3ReleaseStore
from tests.fakes.memory import NOON
from tests.fakes.onnx_classifier import write_release
from vigil.errors import ConcurrentUpdate, Transient
from vigil.releases.gates import default_gates
from vigil.releases.health import ExpectedHealth, HealthCounts
from vigil.releases.lifecycle import ReleasePointers, registered_state
from vigil.releases.manifest import InvalidReleaseManifest, ReleaseManifest, RemovedTrainingData
from vigil.releases.registration import build_manifest
from vigil.releases.rollout import ReleaseRecord, RolloutChange, advance_rollout, roll_back_release
from vigil.releases.shadow import ShadowComparison
from vigil.statistics import Interval
from vigil.training.labels import Label

GOOD, BETTER = Interval(0.97, 0.95, 0.99, 300), Interval(0.02, 0.005, 0.03, 300)


def release_record(release: str) -> ReleaseRecord:
    return ReleaseRecord(registered_state("digits", release, NOON), GOOD, BETTER)


@pytest.fixture
def release(tmp_path: Path) -> tuple[ReleaseManifest, dict[str, bytes]]:
    files = write_release(tmp_path / "made")
    return build_manifest("tiny-colours", files, parent=None, data="d1", recipe=None), files


@pytest.fixture
def releases(table: Any) -> DynamoReleases:
    return DynamoReleases(table, "t")


def test_a_release_is_fetched_as_it_was_put(release: Any, bucket: Any, tmp_path: Path):
    pedigree, files = release
    depot = S3ReleaseStore(bucket, "bucket")
    depot.put_release(pedigree, files)

    depot.fetch("tiny-colours", pedigree.id, tmp_path)

    assert {name: (tmp_path / name).read_bytes() for name in files} == files
    assert depot.read_manifest("tiny-colours", pedigree.id) == pedigree


def test_removed_training_data_is_recorded_once_in_the_manifest(release: Any, bucket: Any):
    pedigree, files = release
    depot, forgotten = S3ReleaseStore(bucket, "bucket"), RemovedTrainingData("c" * 16, 3, NOON)
    depot.put_release(pedigree, files)

    for _ in range(2):
        depot.record_removed_data("tiny-colours", pedigree.id, forgotten)

    assert depot.read_manifest("tiny-colours", pedigree.id) == replace(pedigree, removed_data=(forgotten,))


def test_the_releases_that_learned_from_a_data_set_are_found(releases: DynamoReleases):
    for name, data in (("b", "d1"), ("c", "d2")):
        releases.register(release_record(name), bundled="a", data=data, parent="a")

    assert releases.trained_on("digits", "d1") == ("b",)


def test_of_a_shredded_object_no_version_is_left_and_of_a_manifest_the_newest(bucket: Any):
    library = S3ObjectStore(bucket, "bucket")
    for body in (b"one", b"two"):
        for key in ("data/digits/d1/test/a.png", "data/digits/d1/test/a.png.txt"):
            library.put_object(key, body)

    library.delete_all_versions("data/digits/d1/test/a.png")
    library.delete_all_versions("data/digits/d1/test/a.png.txt", except_newest=True)

    left = [(one["Key"], library.get_object(one["Key"])) for one in library.list_versions("data/")]
    assert left == [("data/digits/d1/test/a.png.txt", b"two")]
    assert (list(library.list_folders("data")), list(library.list_folders("data/digits"))) == (
        ["digits"],
        ["d1"],
    )


def test_a_file_that_was_changed_on_s3_is_refused(release: Any, bucket: Any, tmp_path: Path):
    pedigree, files = release
    S3ReleaseStore(bucket, "bucket").put_release(pedigree, files)
    bucket.put_object(Bucket="bucket", Key=f"releases/tiny-colours/{pedigree.id}/model.onnx", Body=b"other")

    with pytest.raises(InvalidReleaseManifest):
        S3ReleaseStore(bucket, "bucket").fetch("tiny-colours", pedigree.id, tmp_path)


def test_a_release_that_is_not_there_is_the_worlds_fault(bucket: Any, tmp_path: Path):
    with pytest.raises(Transient):
        S3ReleaseStore(bucket, "bucket").fetch("tiny-colours", "0" * 16, tmp_path)


def test_a_release_is_registered_once_and_the_bundled_one_becomes_active(releases: DynamoReleases):
    new = [releases.register(release_record("b"), bundled="a", data="d1", parent="a") for _ in range(2)]

    book = releases.read_releases("digits")
    assert new == [True, False]
    assert (book.pointers, book.records) == (ReleasePointers("a"), (release_record("b"),))
    assert releases.models() == ("digits",)


def test_steps_are_stored_with_their_reasons_and_read_by_the_lanes(releases: DynamoReleases, table: Any):
    releases.register(release_record("b"), bundled="a", data="d1", parent="a")
    trials, look = DynamoComparisons(table, "t"), CachedPointers(table, "t", max_age_s=0.0)

    moved = advance_rollout(
        "digits", releases, trials, DynamoReleaseHealth(table, "t"), default_gates(), now=NOON
    )

    assert [life.stage for life in moved] == ["shadow"]
    assert releases.read_releases("digits").records[0].state == moved[0]
    assert look("digits") == ReleasePointers("a", "b", shadow_share=0.5)


def test_the_second_of_two_who_move_the_pointers_is_overtaken(releases: DynamoReleases):
    releases.register(release_record("b"), bundled="a", data="d1", parent=None)
    book = releases.read_releases("digits")
    change = RolloutChange(replace(book.pointers, active="b"), ())
    releases.save_change(book, change)

    with pytest.raises(ConcurrentUpdate):
        releases.save_change(book, change)


def test_a_roll_back_by_hand_leads_to_the_former_release(releases: DynamoReleases):
    releases.register(release_record("b"), bundled="a", data="d1", parent=None)
    book = releases.read_releases("digits")
    active = replace(book.records[0].state, stage="active")
    releases.save_change(book, RolloutChange(ReleasePointers("b", previous="a"), (active,)))

    moved = roll_back_release("digits", releases, now=NOON, reason="by hand")

    assert [(life.release, life.stage) for life in moved] == [("b", "rolled-back")]
    assert releases.read_releases("digits").pointers == ReleasePointers("a")


def test_trials_count_once_a_drop_and_only_since_the_stage_began(table: Any):
    trials = DynamoComparisons(table, "t")
    trial = ShadowComparison("digits", "b", "d1", True, False, False, 4.5, 5.5)
    for _ in range(2):
        trials.save(trial, NOON)

    assert trials.comparisons_since("digits", "b", NOON) == (trial,)
    assert trials.comparisons_since("digits", "b", NOON.replace(hour=13)) == ()


def test_what_is_expected_of_a_promoted_release_is_known_to_the_lanes(releases: DynamoReleases, table: Any):
    expected = ReleasePointers(
        "b", previous="a", expected=ExpectedHealth(latency_ms=12.5, unrecognised_share=0.25)
    )
    releases.register(release_record("b"), bundled="a", data="d1", parent=None)
    releases.save_change(releases.read_releases("digits"), RolloutChange(expected, ()))

    assert (
        releases.read_releases("digits").pointers
        == CachedPointers(table, "t", max_age_s=0.0)("digits")
        == expected
    )


def test_vitals_add_up_by_ten_seconds_and_are_read_from_the_newest_back(table: Any):
    vitals = DynamoReleaseHealth(table, "t")
    for second in (0, 9, 10):
        vitals.add(
            "digits", "b", HealthCounts(samples=4, slow=1, unrecognised=2), NOON + timedelta(seconds=second)
        )

    assert list(vitals.latest_counts("digits", "b", NOON)) == [HealthCounts(4, 1, 2), HealthCounts(8, 2, 4)]
    assert list(vitals.latest_counts("digits", "b", NOON + timedelta(seconds=5))) == [HealthCounts(4, 1, 2)]
    assert list(vitals.latest_counts("digits", "other", NOON)) == []


def test_a_models_labels_are_found_again_and_the_last_word_counts(table: Any):
    labels = DynamoLabels(table, "t")
    first = Label("d1", "digits", "door", "7", "one", NOON)
    for label in (
        first,
        replace(first, label="1", labelled_by="two"),
        replace(first, drop="d2", model="other"),
    ):
        labels.save_label(label)

    assert list(labels.for_model("digits")) == [replace(first, label="1", labelled_by="two")]


def test_labels_can_be_listed_since_a_time(table: Any):
    labels = DynamoLabels(table, "t")
    first, second = (Label(f"d{n}", "digits", "door", "7", "one", NOON) for n in (1, 2))
    for label in (first, second, later := replace(first, label="1", labelled_at=NOON + timedelta(seconds=1))):
        labels.save_label(label)

    assert list(labels.for_model("digits", since=NOON + timedelta(milliseconds=1))) == [later]
    assert set(labels.for_model("digits", since=NOON)) == {later, second}


def test_while_the_table_is_away_the_pointers_known_last_are_in_force(releases: DynamoReleases, table: Any):
    releases.register(release_record("b"), bundled="a", data="d1", parent=None)
    look = CachedPointers(table, "t", max_age_s=0.0)
    known = look("digits")
    table.delete_table(TableName="t")

    assert (known, look("digits"), look("unheard")) == (
        ReleasePointers("a"),
        ReleasePointers("a"),
        ReleasePointers(),
    )
