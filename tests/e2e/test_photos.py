"""A photo dropped into S3 is recognised, recorded and told, by what ships, on real photographs."""

import base64
import io
import json
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image

from tests.deployment import enrol_photos
from tests.e2e.conftest import PHOTOS, RunningSystem, wait_until
from tests.fakes.message_schemas import EVENT_SCHEMAS, assert_matches_schema
from vigil.drops.messages import compute_drop_id

OBAMA = (PHOTOS / "obama2.jpg").read_bytes()


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def recognised_names(site: RunningSystem, drop: str) -> list[str]:
    return [site.cloud.display_name(sighting["label"]) for sighting in site.cloud.records.sightings(drop)]


@pytest.mark.parametrize("photo", ["obama2.jpg", "obama3.jpg"])
def test_a_known_person_is_recognised(site: RunningSystem, photo: str):
    (row,) = site.wait_until_completed(site.drop_bytes((PHOTOS / photo).read_bytes()))

    assert (row["state"], recognised_names(site, row["drop_id"])) == ("done", ["Obama"])


def test_a_watch_listed_person_is_one_alert_however_many_frames(site: RunningSystem):
    drops = [site.drop_bytes(OBAMA, source="gate") for _ in range(5)]
    site.wait_until_completed(*drops)

    alerts = [
        event for drop in drops for event in site.events_about(drop) if event["type"] == "vigil.alert.raised"
    ]

    windows = {row["window"] for row in _alert_rows(site) if row["source"] == "gate"}
    assert len(alerts) == len(windows)
    assert sum(row["drops"] for row in _alert_rows(site) if row["source"] == "gate") == 5


def _alert_rows(site: RunningSystem) -> list[dict[str, Any]]:
    from datetime import UTC, datetime, timedelta

    return site.cloud.records.newest("alerts", since=datetime.now(UTC) - timedelta(days=2), limit=1000)


def test_every_event_matches_its_schema_and_contains_no_name(site: RunningSystem):
    drop = site.drop_bytes(OBAMA, source="hall")
    bad = site.drop_bytes(b"", source="hall")
    site.wait_until_completed(drop, bad)

    events = site.events_about(drop) + site.events_about(bad)

    assert {event["type"] for event in events} >= {"vigil.drop.done", "vigil.drop.rejected"}
    for event in events:
        assert_matches_schema(EVENT_SCHEMAS[event["type"]], event)
        assert "obama" not in json.dumps(event).lower()


def test_an_event_delivered_five_times_is_one_drop_one_set_of_sightings_one_alert(site: RunningSystem):
    source, key = "five", "archive/five times.jpg"
    bucket = site.cloud.outputs["PhotosBucket"]
    version = site.cloud.client("s3").put_object(Bucket=bucket, Key=f"live/faces/{source}/x.jpg", Body=OBAMA)[
        "VersionId"
    ]
    notification = {
        "Records": [
            {
                "eventTime": "2026-03-02T12:00:00.000Z",
                "s3": {
                    "bucket": {"name": bucket},
                    "object": {"key": f"live/faces/{source}/x.jpg", "versionId": version},
                },
            }
        ]
    }
    for _ in range(5):
        site.send_message(notification)
    drop = compute_drop_id(bucket, f"live/faces/{source}/x.jpg", version, "faces")
    (row,) = site.wait_until_completed(drop)

    events = site.events_about(drop)

    assert (row["state"], row["attempts"], len(site.cloud.records.sightings(drop))) == ("done", 1, 1)
    assert sorted(event["type"] for event in events) == ["vigil.alert.raised", "vigil.drop.done"]
    assert all(site.recorder.deliveries[event["id"]] == 1 for event in events), key


def test_a_worker_killed_in_mid_photo_leaves_one_outcome(site: RunningSystem):
    photo = encoded(Image.open(PHOTOS / "obama3.jpg").resize((4302, 6999)), "JPEG")
    drop = site.drop_bytes(photo, source="killed")
    wait_until(lambda: (site.cloud.records.find_drop(drop) or {}).get("state") == "claimed")
    killed = site.running.kill_worker("Live")

    (row,) = site.wait_until_completed(drop)
    events = site.events_about(drop)

    assert killed
    assert (row["state"], row["attempts"]) == ("done", 2)
    assert len(site.cloud.records.sightings(drop)) == 1
    assert sorted(event["type"] for event in events) == ["vigil.alert.raised", "vigil.drop.done"]


def test_each_unknown_person_in_a_restricted_area_raises_an_alert(site: RunningSystem, tmp_path: Path):
    biden = Image.open(PHOTOS / "biden.jpg")
    drop = site.drop_bytes(
        encoded(biden.transpose(Image.Transpose.FLIP_TOP_BOTTOM), "JPEG"), source="vault-2"
    )
    (row,) = site.wait_until_completed(drop)

    raised = [
        event["data"]["rule"] for event in site.events_about(drop) if event["type"] == "vigil.alert.raised"
    ]

    unknown = [one for one in site.cloud.records.sightings(drop) if one["status"] == "unknown"]
    assert row["state"] == "done"
    assert raised == ["unknown-in-restricted-area"] * len(unknown)


def test_a_photo_without_a_face_is_done_without_sightings(site: RunningSystem):
    (row,) = site.wait_until_completed(site.drop_bytes(encoded(Image.new("RGB", (640, 480), "#789"), "JPEG")))

    assert (row["state"], row["sightings"]) == ("done", 0)


FORMATS = {
    "grey.jpg": lambda photo: encoded(photo.convert("L"), "JPEG"),
    "cmyk.jpg": lambda photo: encoded(photo.convert("CMYK"), "JPEG"),
    "rgba.png": lambda photo: encoded(photo.convert("RGBA"), "PNG"),
    "palette.png": lambda photo: encoded(photo.convert("P", palette=Image.Palette.ADAPTIVE), "PNG"),
    "sixteen-bit.png": lambda photo: encoded(
        Image.fromarray(np.asarray(photo.convert("L"), np.uint16) * 257), "PNG"
    ),
    "animated.gif": lambda photo: encoded(
        photo, "GIF", save_all=True, append_images=[Image.new("RGB", photo.size)]
    ),
    "lossless.webp": lambda photo: encoded(photo, "WEBP", lossless=True, method=0),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_face_is_recognised_in_any_picture_format(site: RunningSystem, name: str):
    photo = Image.open(PHOTOS / "obama2.jpg").resize((313, 600))

    (row,) = site.wait_until_completed(site.drop_bytes(FORMATS[name](photo), name=name))

    assert (row["state"], recognised_names(site, row["drop_id"])) == ("done", ["Obama"])


@pytest.mark.parametrize(
    "name", ["with space.jpg", "grüße-日本.jpg", "100%+.jpg", "a&b=c?.jpg", "no-suffix", "a.jfif", "a.film"]
)
def test_any_key_is_read(site: RunningSystem, name: str):
    (row,) = site.wait_until_completed(site.drop_bytes(OBAMA, name=name))

    assert (row["state"], row["s3_object"]["key"].split("-", 1)[1]) == ("done", name)


BAD = {
    "empty-file": ("a.jpg", lambda: b""),
    "not-an-image": ("a.mp4", lambda: b"\x00\x00\x00\x18ftypmp42"),
    "truncated-image": ("a.jpg", lambda: OBAMA[: len(OBAMA) // 2]),
    "too-many-pixels": ("a.png", lambda: encoded(Image.new("1", (30_000, 30_000)), "PNG")),
    "object-too-large": ("a.jpg", lambda: OBAMA + bytes(60_000_000)),
}


@pytest.mark.parametrize("reason", BAD)
def test_bad_input_is_rejected_with_its_reason_published_and_not_retried(site: RunningSystem, reason: str):
    name, make = BAD[reason]
    drop = site.drop_bytes(make(), name=name)
    (row,) = site.wait_until_completed(drop)

    (event,) = site.events_about(drop)

    assert (row["state"], row["reason"], row["attempts"]) == ("rejected", reason, 1)
    assert (event["type"], event["data"]["reason"]) == ("vigil.drop.rejected", reason)


def test_an_object_deleted_before_it_was_read_is_rejected(site: RunningSystem):
    bucket = site.cloud.outputs["PhotosBucket"]
    job = {"model": "faces", "s3": {"bucket": bucket, "key": "live/faces/door/gone.jpg", "version_id": "v0"}}
    site.send_message(job)

    (row,) = site.wait_until_completed(compute_drop_id(bucket, "live/faces/door/gone.jpg", "v0", "faces"))

    assert (row["state"], row["reason"]) == ("rejected", "object-not-found")


def test_a_malformed_message_is_recorded_as_rejected(site: RunningSystem):
    (row,) = site.wait_until_completed(compute_drop_id("message", site.send_message("what?")))

    assert (row["state"], row["reason"]) == ("rejected", "malformed-message")


def test_an_unknown_model_is_reported(site: RunningSystem):
    (row,) = site.wait_until_completed(site.drop_bytes(OBAMA, model="hands"))

    assert (row["state"], row["reason"]) == ("rejected", "unknown-model")
    assert "faces" in row["message"]


def test_a_classifier_runs_through_the_same_queues_and_tables_from_its_card_alone(site: RunningSystem):
    (row,) = site.wait_until_completed(
        site.drop_bytes(encoded(Image.new("RGB", (64, 64), "red"), "PNG"), name="a.png", model="tiny-colours")
    )

    (sighting,) = site.cloud.records.sightings(row["drop_id"])
    assert (row["state"], sighting["label"], sighting["status"]) == ("done", "red", "known")


def test_a_job_may_carry_the_photo_itself(site: RunningSystem):
    small = encoded(Image.open(PHOTOS / "obama2.jpg").resize((313, 600)), "JPEG")
    job = {"model": "faces", "source": "feed", "id": "job-1", "data": base64.b64encode(small).decode()}
    assert_matches_schema("job", job)
    site.send_message(job)

    (row,) = site.wait_until_completed(compute_drop_id("job", "job-1", "faces"))

    assert (row["state"], recognised_names(site, row["drop_id"])) == ("done", ["Obama"])


def test_a_job_may_name_an_object_anywhere_in_the_bucket(site: RunningSystem):
    bucket, key = site.cloud.outputs["PhotosBucket"], "bulk/faces/archive/one.jpg"
    version = site.cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=OBAMA)["VersionId"]

    (row,) = site.wait_until_completed(compute_drop_id(bucket, key, version, "faces"))

    assert (row["state"], row["lane"]) == ("done", "bulk")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: encoded(Image.new("RGB", (640, 480)), "JPEG"), "no-face"),
        (lambda: encoded(_two_faces(), "JPEG"), "several-faces"),
        (lambda: encoded(Image.open(PHOTOS / "obama2.jpg").resize((52, 100)), "JPEG"), "low-quality"),
        (lambda: OBAMA, "already-enrolled"),
    ],
)
def test_an_unusable_photo_is_rejected_for_enrolment(
    site: RunningSystem, tmp_path: Path, make: Any, reason: str
):
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(make())

    answer = enrol_photos(site.cloud, "Somebody New", [photo], [])

    assert (answer["accepted"], [refusal["reason"] for refusal in answer["rejected"]]) == ([], [reason])


def _two_faces() -> Image.Image:
    one, two = (Image.open(PHOTOS / name).resize((400, 600)) for name in ("obama2.jpg", "biden.jpg"))
    both = Image.new("RGB", (800, 600))
    both.paste(one, (0, 0))
    both.paste(two, (400, 0))
    return both


def test_nothing_that_was_uploaded_for_enrolment_stays(site: RunningSystem):
    s3, store = site.cloud.client("s3"), site.cloud.outputs["StoreBucket"]

    assert "Versions" not in s3.list_object_versions(Bucket=store, Prefix="enrol/")


def test_a_new_gallery_and_new_rules_take_effect_within_seconds(site: RunningSystem):
    watch = '[[rules]]\nname = "anybody"\nwhen = { status = ["known", "unknown"] }'
    s3, store = site.cloud.client("s3"), site.cloud.outputs["StoreBucket"]
    s3.put_object(Bucket=store, Key="rules.toml", Body=watch.encode())
    time.sleep(2.5)
    (row,) = site.wait_until_completed(site.drop_bytes((PHOTOS / "biden.jpg").read_bytes(), source="after"))
    raised = [
        event["data"]["rule"]
        for event in site.events_about(row["drop_id"])
        if event["type"] == "vigil.alert.raised"
    ]
    s3.delete_object(Bucket=store, Key="rules.toml")

    assert raised == ["anybody"]


def test_the_gateway_answers(site: RunningSystem):
    with urlopen(site.cloud.outputs["EndpointURL"] + "/v1/health", timeout=120) as answer:  # noqa: S310 - ours
        assert json.load(answer) == {"status": "ok"}


def test_no_log_line_holds_a_name_or_a_key(site: RunningSystem):
    site.wait_until_completed(site.drop_bytes(OBAMA, name="very-private-name.jpg"))
    site.running.wait_until_idle(timeout_s=240)

    for file in site.data.glob("logs/*.log"):
        text = file.read_text().lower()
        assert "very-private-name" not in text
        assert "obama" not in text
