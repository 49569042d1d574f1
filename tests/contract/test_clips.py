"""The ports of clips on S3 and DynamoDB."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cloud.dynamodb.cameras import DynamoCameras
from cloud.dynamodb.clips import DynamoClips
from cloud.dynamodb.ledger import DynamoLedger
from cloud.s3.objects import S3Frames, S3InputReader
from cloud.s3_events import QueueMessage, clip_announcement, parse_message
from tests.fakes.clips import write_clip
from tests.fakes.memory import NOON
from vigil.drops.messages import Drop, S3Object, object_drop
from vigil.drops.process import Invocation
from vigil.errors import EmptyFile, ObjectNotFound, ObjectTooLarge
from vigil.reliability.cameras import CameraReport
from vigil.video.clip import ClipPorts, ClipProgress, process_clip
from vigil.video.selection import SelectionState

PHOTOS = Path(__file__).parents[1] / "photos"
RETENTION = timedelta(days=36_500)


class Killed(BaseException):
    """The worker process ends."""


class KilledFrames(S3Frames):
    """The worker is killed after it stored the frame of this number in the order of storing."""

    def __init__(self, client: Any, at: int) -> None:
        super().__init__(client, "bucket")
        self.left = at

    def put_frame(self, key: str, data: bytes) -> bool:
        is_new = super().put_frame(key, data)
        self.left -= 1
        if not self.left:
            raise Killed
        return is_new


def test_the_progress_of_a_clip_is_read_as_it_was_saved(table: Any):
    clips = DynamoClips(table, "t", retention=RETENTION)
    progress = ClipProgress(SelectionState(12.0, b"\0\xff" * 16, 11.125), frames=7, attempt=2)

    assert clips.load("c") == ClipProgress()
    clips.save("c", progress, NOON)

    assert clips.load("c") == progress


def test_a_frame_is_stored_once_under_its_key(bucket: Any):
    frames = S3Frames(bucket, "bucket")

    assert [frames.put_frame("live/faces/door/clip/c/1-2.jpg", data) for data in (b"one", b"two")] == [
        True,
        False,
    ]

    (version,) = bucket.list_object_versions(Bucket="bucket")["Versions"]
    assert bucket.get_object(Bucket="bucket", Key=version["Key"])["Body"].read() == b"one"


def test_a_clip_is_downloaded_unless_it_is_missing_empty_or_too_large(bucket: Any, tmp_path: Path):
    reader, file = S3InputReader(bucket), tmp_path / "clip"
    for key, data in (("film", b"film"), ("empty", b"")):
        bucket.put_object(Bucket="bucket", Key=key, Body=data)

    reader.download(S3Object("bucket", "film"), file, 4)

    assert file.read_bytes() == b"film"
    for key, limit, error in (
        ("film", 3, ObjectTooLarge),
        ("empty", 3, EmptyFile),
        ("none", 3, ObjectNotFound),
    ):
        with pytest.raises(error):
            reader.download(S3Object("bucket", key), file, limit)


def test_a_clip_that_is_passed_on_is_the_same_drop():
    clip = object_drop(
        S3Object("bucket", "live/clips/door/a b.mp4", "v1"), "clips", "door", dedup_key="v1", occurred_at=NOON
    )

    assert parse_message(QueueMessage("m", clip_announcement(clip), NOON), "bucket") == [clip]


def test_a_clip_without_a_version_is_the_same_drop_at_every_delivery():
    clip = Drop("a" * 32, "clips", "door", S3Object("bucket", "live/clips/door/a.mp4"), NOON)

    (first,) = parse_message(QueueMessage("m", clip_announcement(clip), NOON), "bucket")
    (second,) = parse_message(QueueMessage("n", clip_announcement(clip), NOON), "bucket")

    assert isinstance(first, Drop)
    assert first == second


def test_a_clip_whose_workers_are_killed_twice_leaves_each_frame_once(
    table: Any, bucket: Any, tmp_path: Path
):
    film = write_clip(
        tmp_path / "film.mp4", [(None, 1), (PHOTOS / "obama.jpg", 2), (PHOTOS / "biden.jpg", 2)]
    )
    version = bucket.put_object(Bucket="bucket", Key="live/clips/door/film.mp4", Body=film.read_bytes())
    item = S3Object("bucket", "live/clips/door/film.mp4", version["VersionId"])
    clip = object_drop(item, "clips", "door", dedup_key=item.version, occurred_at=NOON)
    ledger = DynamoLedger(table, "t", "faces", lane="live", retention=RETENTION)

    def process(number: int, frames: S3Frames) -> str:
        """The delivery of this number; the leases of those before it have ended."""
        now = NOON + timedelta(minutes=number)
        clips = DynamoClips(table, "t", retention=RETENTION)
        reader = S3InputReader(bucket)
        ports = ClipPorts(ledger, reader, frames, clips, lambda: now, lambda: True, "faces", tmp_path)
        ends_at = now + timedelta(seconds=30)
        return process_clip(clip, ports, Invocation(f"i-{number}", ends_at, timedelta(seconds=30))).outcome

    for number, at in ((0, 1), (1, 2)):
        with pytest.raises(Killed):
            process(number, KilledFrames(bucket, at))

    assert process(2, S3Frames(bucket, "bucket")) == "done"
    stored = [
        one["Key"] for one in bucket.list_object_versions(Bucket="bucket", Prefix="live/faces/")["Versions"]
    ]
    assert len(stored) == len(set(stored)) >= 3
    assert process(3, S3Frames(bucket, "bucket")) == "duplicate"


def test_a_camera_is_silent_three_minutes_after_its_last_report_or_frame(table: Any):
    cameras, second = DynamoCameras(table, "t"), timedelta(seconds=1)
    now = datetime.now(UTC)
    for report in (
        CameraReport("door-1", "running", now - 170 * second, now - 175 * second, 4),
        CameraReport("door-2", "running", now - 10 * second, now - 190 * second),
        CameraReport("door-3", "running", now - 190 * second),
        CameraReport("door-4", "stopped", now - 190 * second),
        CameraReport("door-1", "running", now, now, 2),
    ):
        cameras.save(report)

    reports = cameras.list_reports()

    assert reports[0] == CameraReport("door-1", "running", now, now, 2)
    assert [one.state_at(now) for one in reports] == ["running", "silent", "silent", "stopped"]
