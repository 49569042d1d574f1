"""Drops and sightings have thumbnails behind links that expire; no thumbnail is stored."""

import io
import re
import time
from typing import Any

import pytest
from PIL import Image

from cloud.dynamodb.audit_log import DynamoAuditLog
from cloud.kms import KmsMac
from tests.e2e.api.conftest import PHOTOS, Site
from vigil.access.signing import sign_value, verify_value
from vigil_client import NotFound, Vigil

PHOTO = (PHOTOS / "obama3.jpg").read_bytes()


@pytest.fixture(scope="module")
def drop(site: Site) -> dict[str, Any]:
    return site.upload_drop(PHOTO, "gallery-4")


ACCEPTED_BY_BROWSERS = (
    "image/avif,image/webp,*/*",
    "image/jxl,image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
    "image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,video/*;q=0.8,image/png,*/*;q=0.5",
)
"""What Firefox, Chromium and Safari send for a picture."""


@pytest.mark.parametrize("accepted", ACCEPTED_BY_BROWSERS)
def test_a_thumbnail_link_returns_a_small_jpeg_without_a_token(
    site: Site, drop: dict[str, Any], accepted: str
):
    answer = site.http.request("GET", drop["thumbnail_url"], headers={"Accept": accepted})

    image = Image.open(io.BytesIO(answer.data))
    assert (answer.status, answer.headers["Content-Type"], image.format) == (200, "image/jpeg", "JPEG")
    assert max(image.size) <= 320
    assert answer.headers["Cache-Control"] == "private, max-age=300"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_thumbnail_of_a_sighting_is_its_part_of_the_photo(site: Site, drop: dict[str, Any]):
    (listed,) = site.request("GET", "/v1/sightings?source=gallery-4").json["items"]
    client = Vigil(site.url, site.token("viewer"))

    parts = [client.get_thumbnail(one["thumbnail_url"]) for one in (drop["sightings"][0], listed)]

    left, top, right, bottom = drop["sightings"][0]["box_px"]
    wide, high = Image.open(io.BytesIO(parts[0])).size
    assert parts[0] == parts[1] != client.get_thumbnail(drop["thumbnail_url"])
    assert wide / high == pytest.approx((right - left) / (bottom - top), rel=0.2)


def test_listed_drops_have_thumbnail_links(site: Site, drop: dict[str, Any]):
    (listed,) = site.request("GET", "/v1/drops?source=gallery-4").json["items"]

    assert Vigil(site.url, "").get_thumbnail(listed["thumbnail_url"])


def test_a_request_without_an_image_type_in_accept_gets_406(site: Site, drop: dict[str, Any]):
    answer = site.http.request("GET", drop["thumbnail_url"], headers={"Accept": "*/*"})

    assert (answer.status, answer.json()["type"]) == (406, "urn:vigil:problem:not-acceptable")
    assert "Accept: image/jpeg" in answer.json()["remedy"]


def test_a_changed_or_expired_link_gets_404(site: Site, drop: dict[str, Any]):
    address, _, text = drop["thumbnail_url"].rpartition("/")
    key = KmsMac(site.cloud.client("kms"), site.cloud.outputs["MacKey"]).derive_key("cursors")
    claims = verify_value(text, purpose="thumbnail", key=key)
    old = sign_value([*claims[:-1], int(time.time()) - 1], purpose="thumbnail", key=key)
    other = sign_value([*claims[:-1], claims[-1] + 9], purpose="thumbnail", key=bytes(32))

    answers = [
        site.http.request("GET", f"{address}/{ticket}", headers={"Accept": "image/jpeg"})
        for ticket in (old, other, re.sub(r"^.{4}", "AAAA", text))
    ]

    assert 0 < claims[-1] - time.time() <= 300
    assert [one.status for one in answers] == [404, 404, 404]
    assert "expired" in answers[0].json()["detail"]


def test_the_use_of_a_link_is_audited_for_the_caller_who_got_it(site: Site, drop: dict[str, Any]):
    token = site.token("viewer", subject="onlooker")
    sighting = site.request("GET", f"/v1/drops/{drop['id']}", token=token).json["sightings"][0]
    Vigil(site.url, token).get_thumbnail(sighting["thumbnail_url"])

    log = DynamoAuditLog(site.cloud.client("dynamodb"), site.cloud.outputs["AuditTable"])
    acts = [
        (one.operation, dict(one.resource_ids))
        for chain in log.read_chains()
        for one, _ in chain
        if one.caller == "onlooker"
    ]

    assert acts == [
        ("get-drop", {"drop": drop["id"]}),
        ("get-thumbnail", {"drop": drop["id"], "sighting": "0"}),
    ]


def test_no_thumbnail_is_stored_and_a_deleted_photo_has_none(site: Site):
    made = site.upload_drop(PHOTO, "leaving")
    client = Vigil(site.url, site.token("viewer"))
    before = object_versions(site)
    client.get_thumbnail(made["thumbnail_url"])
    assert object_versions(site) == before
    row = site.cloud.records.find_drop(made["id"])
    assert row is not None
    where = row["s3_object"]
    site.cloud.client("s3").delete_object(
        Bucket=where["bucket"], Key=where["key"], VersionId=where["version"]
    )

    for link in (made["thumbnail_url"], made["sightings"][0]["thumbnail_url"]):
        with pytest.raises(NotFound):
            client.get_thumbnail(link)


def object_versions(site: Site) -> set[tuple[str, str, str]]:
    s3 = site.cloud.client("s3")
    return {
        (bucket, one["Key"], one["VersionId"])
        for bucket in (site.cloud.outputs["PhotosBucket"], site.cloud.outputs["StoreBucket"])
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
        for one in page.get("Versions", ())
        if "/canary/" not in one["Key"]
    }


def test_an_alert_has_the_thumbnail_of_its_sighting(site: Site, alert: dict[str, Any]):
    client = Vigil(site.url, site.token("viewer"))
    (sighting,) = site.request("GET", f"/v1/drops/{alert['drop']}").json["sightings"]

    assert client.get_thumbnail(alert["thumbnail_url"]) == client.get_thumbnail(sighting["thumbnail_url"])
    assert not alert["subject_erased"]
