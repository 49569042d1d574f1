"""An erasure in many runs, some of them killed, deletes everything once and counts it once."""

from datetime import timedelta
from typing import Any

import pytest

from cloud.dynamodb.drops import DynamoDropReader
from cloud.dynamodb.erasure import HOLD, DynamoPersonData
from cloud.dynamodb.ledger import DynamoLedger
from cloud.s3.datasets import S3DatasetRepository
from cloud.s3.objects import S3Store
from tests.fakes.memory import NOON, MemoryObjectStore
from tests.simulation.erasure import ALERT_SHARE, FACES, Erasure, rows_that_name, store_rows
from tests.unit.people.test_erasure import ADA
from vigil.drops.ledger import Lease, ProcessingResult
from vigil.drops.messages import ClipFrame, Drop, S3Object
from vigil.inference.types import Prediction, Sighting
from vigil.training.dataset import InvalidDatasetManifest
from vigil.training.dataset_store import DatasetStore

SIGHTINGS, ROWS = 60, 300


@pytest.mark.parametrize("deaths", [set[int](), {20, 41}], ids=["alive", "killed twice"])
def test_a_person_is_erased_in_many_runs_and_everything_is_counted_once(table: Any, deaths: set[int]):
    store_rows(table, sightings=SIGHTINGS, rows=ROWS)
    erasure = Erasure(table, deaths, steps_per_run=2)

    receipt = erasure.run_until_complete()

    assert (erasure.killed, erasure.runs > 3) == (len(deaths), True)
    assert {kind: number for kind, number in receipt.counts.items() if number} == {
        "snapshots": 4,
        "photos": SIGHTINGS + 1,
        "sightings": SIGHTINGS,
        "alerts": SIGHTINGS // ALERT_SHARE,
        "examples": 3,
        "faces": FACES // 2,
        "templates": 2,
    }
    assert rows_that_name(table, ADA.id) == []


def test_only_an_erasure_that_no_run_is_at_work_on_is_continued(table: Any):
    records = DynamoPersonData(table, "t", "faces")
    records.begin_progress(ADA.id, NOON)

    assert records.unfinished_erasures(NOON) == []
    assert [one.person for one in records.unfinished_erasures(NOON + HOLD)] == [ADA.id]


def test_a_clip_whose_frames_show_the_person_is_deleted_with_them_and_counted_once(table: Any):
    ledger = DynamoLedger(table, "t", "faces", lane="live", retention=timedelta(days=36_500))
    clip = Drop("c" * 32, "clips", "door", S3Object("photos", "live/clips/door/film.mp4", "v1"), NOON)
    frames = [
        Drop(
            f"{number:032}",
            "faces",
            "door",
            S3Object("photos", f"live/faces/door/{ClipFrame(clip.id, number, number * 40).name()}", "v1"),
            NOON,
        )
        for number in range(3)
    ]
    for drop, people in ((clip, ()), *((frame, (Sighting(ADA.id, "known", 0.9),)) for frame in frames)):
        lease = ledger.claim(drop, owner="w", now=NOON, until=NOON + HOLD)
        assert isinstance(lease, Lease)
        result = ProcessingResult(Prediction(people, len(people)), "r", (), None, {})
        ledger.save_result(lease, drop, result, now=NOON)
    records = DynamoPersonData(table, "t", "faces")
    records.begin_progress(ADA.id, NOON)

    found, _ = records.references(ADA.id, {})
    for one in found:
        records.remove_references(ADA.id, one, NOON)

    assert [one.clip for one in found if one.clip is not None] == [(clip.id, clip.payload)]
    progress = records.find_progress(ADA.id)
    assert progress is not None
    assert progress.counts["photos"] == len(frames) + 1
    row = DynamoDropReader(table, "t").find_drop(clip.id)
    assert row is not None
    assert row.s3_object is None


def test_a_photo_without_a_version_is_deleted_in_all_its_versions_and_no_other_photo(bucket: Any):
    """Without a version S3 only puts a delete marker on top; moto does so, too."""
    for body in (b"first", b"second"):
        bucket.put_object(Bucket="bucket", Key="live/faces/door/a.jpg", Body=body)
    bucket.put_object(Bucket="bucket", Key="live/faces/door/a.jpg.txt", Body=b"other")

    S3Store(bucket, "store").delete_photo(S3Object("bucket", "live/faces/door/a.jpg"))

    left = bucket.list_object_versions(Bucket="bucket")
    assert [one["Key"] for one in left["Versions"]] == ["live/faces/door/a.jpg.txt"]
    assert "DeleteMarkers" not in left


def test_a_photo_with_a_version_keeps_its_other_versions(bucket: Any):
    first, second = (
        bucket.put_object(Bucket="bucket", Key="k", Body=body)["VersionId"] for body in (b"1", b"2")
    )

    S3Store(bucket, "store").delete_photo(S3Object("bucket", "k", first))

    left = bucket.list_object_versions(Bucket="bucket")["Versions"]
    assert [one["VersionId"] for one in left] == [second]


@pytest.mark.parametrize("name", ["test/manifest.jsonl", "dataset.json"])
def test_a_data_set_that_cannot_be_read_stops_no_erasure(name: str):
    objects = MemoryObjectStore()
    objects.put_object("data/eye/0/test/manifest.jsonl", b"")
    objects.put_object(f"data/eye/1/{name}", b"{damaged")
    objects.put_object("data/eye/2/test/manifest.jsonl", b"")
    repository = S3DatasetRepository(objects)

    removed = DatasetStore(repository, lambda *_: None).remove_person(ADA.id, NOON)

    assert removed == (0, ("eye/1",))
    with pytest.raises(InvalidDatasetManifest):
        repository.read_summary("eye", "1") or repository.read_entries("eye", "1", "test")
