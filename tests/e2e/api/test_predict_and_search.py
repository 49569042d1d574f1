"""Pictures that are asked about at once: predicted, and searched for."""

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest
from urllib3.filepost import encode_multipart_formdata

from tests.e2e.api.conftest import PHOTOS, Site, wait_for_reload

OBAMA = (PHOTOS / "obama2.jpg").read_bytes()


@pytest.mark.parametrize("path", ["/v1/predict/faces", "/v1/sightings/search"])
def test_a_picture_that_is_no_base64_is_the_callers_fault(site: Site, path: str):
    refusal = site.request("POST", path, {"image": "%%%not base64"})

    assert (refusal.status, refusal.json["detail"]) == (400, "image is not base64")


def test_predicting_stores_nothing(site: Site, biden: str):
    def drops() -> list[str]:
        return [one["id"] for one in site.request("GET", "/v1/drops?limit=100").json["items"]]

    before = drops()

    told = site.request(
        "POST", "/v1/predict/faces", (PHOTOS / "biden.jpg").read_bytes(), media="image/jpeg"
    ).json

    assert [one["label"] for one in told["sightings"]] == [biden]
    assert drops() == before


def test_a_form_a_reference_and_base64_predict_the_same(site: Site, biden: str):
    photo = (PHOTOS / "biden.jpg").read_bytes()
    drop = site.upload_drop(photo, "same")
    body, media = encode_multipart_formdata({"file": ("p.jpg", photo, "image/jpeg")})
    row = site.cloud.records.find_drop(drop["id"])
    assert row is not None

    told = [
        site.request("POST", "/v1/predict/faces", body, media=media),
        site.request("POST", "/v1/predict/faces", {"image": base64.b64encode(photo).decode()}),
        site.request("POST", "/v1/predict/faces", {"object": {"key": row["s3_object"]["key"]}}),
    ]

    assert [one.status for one in told] == [200, 200, 200]
    assert len({str(one.json["sightings"]) for one in told}) == 1


def test_a_flood_of_predictions_is_shed_with_a_time_to_come_back(site: Site, biden: str):
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


def test_strangers_are_searched_by_photo_where_their_source_remembers_them_and_forgotten_with_them(
    site: Site, rules: str
):
    lobby = '\n[sources.lobby]\nstore_unknown_faces = true\narea = "restricted"\n'
    site.request("PUT", "/v1/rules", {"toml": rules + lobby})
    wait_for_reload()
    seen = [site.upload_drop(OBAMA, source)["id"] for source in ("lobby", "yard")]
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

    assert ([one["drop"] for one in found], pictures) == ([seen[0]], [200])
    assert (others.json["items"], nobody.status) == ([], 422)
    assert (receipt["erased"]["faces"], after) == (2, []), "once in a sighting, once in a window of strangers"
