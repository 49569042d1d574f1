"""Uploads, lists and batches of drops."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from tests.e2e.api.conftest import PHOTOS, Site

OBAMA = (PHOTOS / "obama2.jpg").read_bytes()


def test_an_uploaded_photo_becomes_a_drop_with_sightings(site: Site):
    drop = site.upload_drop(OBAMA, "hall")

    assert (drop["state"], drop["source"], drop["attempts"]) == ("done", "hall", 1)
    assert [one["status"] for one in drop["sightings"]] == ["unknown"]
    assert site.http.request("GET", drop["photo_url"]).data == OBAMA


@pytest.mark.parametrize(
    ("photo", "media", "status"), [(b"<html>", "text/html", 403), (bytes(20_000_001), "image/jpeg", 400)]
)
def test_an_upload_form_refuses_another_type_and_larger_files(
    site: Site, photo: bytes, media: str, status: int
):
    form = site.request("POST", "/v1/uploads", {"source": "bound"}).json
    fields = {**form["fields"], "Content-Type": media, "file": ("a.jpg", photo, media)}

    assert site.http.request("POST", form["url"], fields=fields).status == status
    assert "drop" not in site.request("GET", f"/v1/uploads/{form['id']}").json


def test_the_pages_of_a_list_contain_every_item_once(site: Site):
    made = {site.upload_drop(OBAMA, "pages")["id"] for _ in range(3)}
    listed: list[str] = []
    cursor = ""
    for _ in range(10):
        page = site.request("GET", f"/v1/drops?source=pages&limit=2{cursor}").json
        listed += [one["id"] for one in page["items"]]
        if "next" not in page:
            break
        cursor = f"&cursor={page['next']}"

    assert sorted(listed) == sorted(made)


@pytest.mark.parametrize(("kind", "key"), [("drops", "id"), ("sightings", "drop"), ("alerts", "drop")])
def test_until_limits_a_list(site: Site, alert: Any, kind: str, key: str):
    at = datetime.fromisoformat(alert["at"])
    after, until = (quote((at + timedelta(seconds=s)).isoformat()) for s in (1, 0))

    there = site.request("GET", f"/v1/{kind}?source=gate-1&until={after}").json["items"]
    gone = site.request("GET", f"/v1/{kind}?source=gate-1&until={until}").json["items"]

    assert alert["drop"] in [one[key] for one in there]
    assert alert["drop"] not in [one[key] for one in gone]


def test_drops_are_found_by_object_and_by_the_beginning_of_their_id(site: Site):
    drop = site.upload_drop(OBAMA, "lookup")
    key, other = drop["object"]["key"], site.token("admin", "elsewhere", subject="elsewhere")

    by_object = site.request("GET", f"/v1/drops?object={quote(key)}").json["items"]
    by_prefix = site.request("GET", f"/v1/drops?id_prefix={drop['id'][:12]}").json["items"]
    hidden = site.request("GET", f"/v1/drops?object={quote(key)}", token=other).json["items"]

    assert [one["id"] for one in by_object] == [one["id"] for one in by_prefix] == [drop["id"]]
    assert (key.split("/")[:3], hidden) == (["live", "faces", "lookup"], [])
    assert drop["first_claimed_at"] <= drop["completed_at"]


def test_a_batch_becomes_drops_of_the_bulk_lane(site: Site):
    drop = site.upload_drop(OBAMA, "batch")
    reference = {"key": drop["object"]["key"]}

    response = site.request("POST", "/v1/predict/faces/batch", {"source": "batch", "objects": [reference]})

    (queued,) = response.json["drops"]
    assert response.status == 202
    assert site.request("GET", f"/v1/drops/{queued}?wait=20").json["state"] == "done"
