"""Synchronous predictions and face search."""

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest
from urllib3.filepost import encode_multipart_formdata

from tests.e2e.api.conftest import PHOTOS, Site, wait_for_reload

OBAMA = (PHOTOS / "obama2.jpg").read_bytes()


@pytest.mark.parametrize("path", ["/v1/predict/faces", "/v1/sightings/search"])
def test_an_image_that_is_not_base64_gets_400(site: Site, path: str):
    response = site.request("POST", path, {"image": "%%%not base64"})

    assert (response.status, response.json["detail"]) == (400, "image is not base64")


def test_a_prediction_stores_no_drop(site: Site, biden: str):
    def drops() -> list[str]:
        return [one["id"] for one in site.request("GET", "/v1/drops?limit=100").json["items"]]

    before = drops()

    responses = site.request(
        "POST", "/v1/predict/faces", (PHOTOS / "biden.jpg").read_bytes(), media="image/jpeg"
    ).json

    assert [one["label"] for one in responses["sightings"]] == [biden]
    assert drops() == before


def test_a_form_an_object_and_base64_give_the_same_prediction(site: Site, biden: str):
    photo = (PHOTOS / "biden.jpg").read_bytes()
    drop = site.upload_drop(photo, "same")
    body, media = encode_multipart_formdata({"file": ("p.jpg", photo, "image/jpeg")})
    row = site.cloud.records.find_drop(drop["id"])
    assert row is not None

    responses = [
        site.request("POST", "/v1/predict/faces", body, media=media),
        site.request("POST", "/v1/predict/faces", {"image": base64.b64encode(photo).decode()}),
        site.request("POST", "/v1/predict/faces", {"object": {"key": row["s3_object"]["key"]}}),
    ]

    assert [one.status for one in responses] == [200, 200, 200]
    assert len({str(one.json["sightings"]) for one in responses}) == 1


def test_predictions_above_the_capacity_get_429_with_retry_after(site: Site, biden: str):
    photo = (PHOTOS / "biden.jpg").read_bytes()
    with ThreadPoolExecutor(12) as threads:
        asked = [
            threads.submit(site.request, "POST", "/v1/predict/faces", photo, media="image/jpeg")
            for _ in range(24)
        ]
        answers = [one.result() for one in asked]

    shed = [one for one in answers if one.status == 429]
    assert {one.status for one in answers} == {200, 429}
    assert {(one.json["type"], one.headers["Retry-After"]) for one in shed} == {
        ("urn:vigil:problem:capacity-exceeded", "2")
    }


def test_stored_unknown_faces_can_be_searched_by_photo_and_are_erased_with_their_person(
    site: Site, rules: str
):
    lobby = '\n[sources.lobby]\nstore_unknown_faces = true\narea = "restricted"\n'
    site.request("PUT", "/v1/rules", {"toml": rules + lobby})
    wait_for_reload()
    drops = [site.upload_drop(OBAMA, source)["id"] for source in ("lobby", "yard")]
    photo = (PHOTOS / "obama3.jpg").read_bytes()

    found = site.request("POST", "/v1/sightings/search", photo, media="image/jpeg").json["items"]
    pictures = [
        site.http.request("GET", one["thumbnail_url"], headers={"Accept": "image/jpeg"}).status
        for one in found
    ]
    others = site.request(
        "POST", "/v1/sightings/search", photo, media="image/jpeg", token=site.token("reviewer", "door-*")
    )
    nobody = site.request("POST", "/v1/sightings/search", b"no picture", media="image/jpeg")
    person = site.enrol_person("remembered", "obama.jpg")
    receipt = site.request("DELETE", f"/v1/people/{person}").json["receipt"]
    after = site.request("POST", "/v1/sightings/search", photo, media="image/jpeg").json["items"]

    assert ([one["drop"] for one in found], pictures) == ([drops[0]], [200])
    assert (others.json["items"], nobody.status) == ([], 422)
    assert (receipt["erased"]["faces"], after) == (2, []), "once in a sighting, once in a window of strangers"
