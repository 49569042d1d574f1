"""Clips on the packaged system: people who come and go, although workers are killed."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import PHOTOS, RunningSystem, wait_until
from tests.fakes.clips import write_clip
from vigil.alerts.rules import DEFAULT_RULES
from vigil.drops.messages import compute_drop_id, parse_frame_key

SOURCE = "film-1"
RULES = f"""
[sources."film-*"]
area = "film"

{DEFAULT_RULES.read_text()}

[[rules]]
name = "anybody-on-film"
window_s = 1
when = {{ status = ["known", "unknown"], area = "film" }}
"""
SHOWN = {"Obama": (1.0, 3.0), "Biden": (4.0, 6.0)}
"""When each person is in the clip, in seconds."""


@pytest.fixture
def rules_for_film(site: RunningSystem) -> Any:
    """Everybody in a clip raises an alert."""
    s3, store = site.cloud.client("s3"), site.cloud.outputs["StoreBucket"]
    s3.put_object(Bucket=store, Key="rules.toml", Body=RULES.encode())
    time.sleep(2.5)  # a lane reads its rules every two seconds
    yield
    s3.delete_object(Bucket=store, Key="rules.toml")


def stored_frames(site: RunningSystem, clip: str) -> dict[str, float]:
    """Drop ids of a clip's frames with their times in seconds."""
    bucket = site.cloud.outputs["PhotosBucket"]
    prefix = f"live/faces/{SOURCE}/clip/{clip}/"
    listed = site.cloud.client("s3").list_object_versions(Bucket=bucket, Prefix=prefix)
    frames = {}
    for one in listed.get("Versions", ()):
        taken = parse_frame_key(one["Key"])
        assert taken is not None
        frames[compute_drop_id(bucket, one["Key"], one["VersionId"], "faces")] = taken.time_ms / 1000
    return frames


@pytest.mark.usefixtures("rules_for_film")
def test_two_people_who_come_and_go_are_recognised_at_their_times_with_one_alert_each(
    site: RunningSystem, tmp_path: Path
):
    obama, biden = PHOTOS / "obama.jpg", PHOTOS / "biden.jpg"
    segments = [(None, 1.0), (obama, 2.0), (None, 1.0), (biden, 2.0), (None, 1.0), (obama, 2.0)]
    film = write_clip(tmp_path / "film.mp4", segments)
    bucket, key = site.cloud.outputs["PhotosBucket"], f"live/clips/{SOURCE}/{next(site.serial)}-film.mp4"
    version = site.cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=film.read_bytes())
    clip = compute_drop_id(bucket, key, version["VersionId"], "clips")

    for number in (1, 3):
        wait_until(lambda number=number: len(stored_frames(site, clip)) >= number)  # type: ignore[misc]
        wait_until(lambda: site.running.kill_worker("Clips") or is_completed(site, clip))

    (record,) = site.wait_until_completed(clip)
    assert record["state"] == "done", record
    frames = stored_frames(site, clip)
    assert record["notes"]["frames"] == len(frames)
    assert {one["state"] for one in site.wait_until_completed(*frames)} == {"done"}
    times: dict[str, list[float]] = {}
    for drop, time_s in frames.items():
        for sighting in site.cloud.records.sightings(drop):
            times.setdefault(site.cloud.display_name(sighting["label"]), []).append(time_s)
    assert times.keys() == {"Obama", "Biden"}
    assert all(1 <= time < 3 or time >= 7 for time in times["Obama"])
    assert {time >= 7 for time in times["Obama"]} == {True, False}
    assert all(4 <= time < 6 for time in times["Biden"])
    assert alerts_by_person(site, clip) == {"Obama": len(times["Obama"]), "Biden": len(times["Biden"])}


def is_completed(site: RunningSystem, drop: str) -> bool:
    row = site.cloud.records.find_drop(drop)
    return row is not None and row["state"] != "claimed"


def alerts_by_person(site: RunningSystem, clip: str) -> dict[str, int]:
    """The number of drops that each alert of a clip counts, by person; fails for two alerts of one."""
    rows = [
        row
        for row in site.cloud.records.newest("alerts", since=datetime(2020, 1, 1, tzinfo=UTC), limit=1000)
        if row["window"] == f"clip:{clip}" and row["rule"] == "anybody-on-film"
    ]
    people = [site.cloud.display_name(row["subject_id"]) for row in rows]
    assert len(people) == len(set(people))
    return {person: row["drops"] for person, row in zip(people, rows, strict=True)}


def test_a_file_that_is_no_clip_is_rejected_with_its_reason_and_announced(site: RunningSystem):
    drop = site.drop_bytes(b"no film", name="film.mp4", model="clips")

    (record,) = site.wait_until_completed(drop)

    assert (record["state"], record["reason"]) == ("rejected", "not-a-clip")
    (event,) = site.events_about(drop)
    assert event["data"]["reason"] == "not-a-clip", json.dumps(event)
