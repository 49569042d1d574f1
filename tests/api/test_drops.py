"""Photos uploaded, in batches, and listed: through what ships."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.conftest import PHOTOS, Site

OBAMA = (PHOTOS / "obama2.jpg").read_bytes()


def test_a_photo_that_was_uploaded_is_a_drop_with_its_sightings(site: Site):
    drop = site.dropped(OBAMA, "hall")

    assert (drop["state"], drop["source"], drop["attempts"]) == ("done", "hall", 1)
    assert [one["status"] for one in drop["sightings"]] == ["unknown"]
    assert site.http.request("GET", drop["photo_url"]).data == OBAMA


@pytest.mark.parametrize(
    ("photo", "media", "status"), [(b"<html>", "text/html", 403), (bytes(20_000_001), "image/jpeg", 400)]
)
def test_an_upload_form_takes_neither_another_type_nor_more_bytes(
    site: Site, photo: bytes, media: str, status: int
):
    form = site.ask("POST", "/v1/uploads", {"source": "bound"}).json
    fields = {**form["fields"], "Content-Type": media, "file": ("a.jpg", photo, media)}

    assert site.http.request("POST", form["url"], fields=fields).status == status
    assert "drop" not in site.ask("GET", f"/v1/uploads/{form['upload']}").json


def test_a_list_is_read_to_its_end_in_pages_that_neither_repeat_nor_lose(site: Site):
    made = {site.dropped(OBAMA, "pages")["drop"] for _ in range(3)}
    seen: list[str] = []
    cursor = ""
    for _ in range(10):
        told = site.ask("GET", f"/v1/drops?source=pages&limit=2{cursor}").json
        seen += [one["drop"] for one in told["items"]]
        if "next" not in told:
            break
        cursor = f"&cursor={told['next']}"

    assert sorted(seen) == sorted(made)


@pytest.mark.parametrize("kind", ["drops", "sightings", "alerts"])
def test_a_list_ends_before_the_moment_that_is_asked_for(site: Site, alert: Any, kind: str):
    at = datetime.fromisoformat(alert["at"])
    after, until = (quote((at + timedelta(seconds=s)).isoformat()) for s in (1, 0))

    there = site.ask("GET", f"/v1/{kind}?source=gate-1&until={after}").json["items"]
    gone = site.ask("GET", f"/v1/{kind}?source=gate-1&until={until}").json["items"]

    assert alert["drop"] in [one["drop"] for one in there]
    assert alert["drop"] not in [one["drop"] for one in gone]


def test_a_batch_becomes_drops_of_the_bulk_lane(site: Site):
    drop = site.dropped(OBAMA, "batch")
    row = site.cloud.records.drop(drop["drop"])
    assert row is not None
    reference = {"key": row["origin"]["key"]}

    told = site.ask("POST", "/v1/predict/faces/batch", {"source": "batch", "objects": [reference]})

    (queued,) = told.json["drops"]
    assert told.status == 202
    assert site.ask("GET", f"/v1/drops/{queued}?wait=20").json["state"] == "done"
