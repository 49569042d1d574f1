"""People are enrolled, renamed, recognised and erased with real photographs."""

import base64
import uuid
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.e2e.api.conftest import PHOTOS, Site
from vigil_cli.__main__ import app


def test_an_enrolled_person_is_recognised_and_their_sightings_are_found(site: Site, biden: str, alert: Any):
    sightings = site.request("GET", f"/v1/sightings?person={biden}").json["items"]

    assert {one["person"] for one in sightings} == {biden}
    assert alert["subject"] == biden


def test_names_are_beside_ids_for_those_who_may_read_them(site: Site, biden: str, alert: dict[str, Any]):
    def names(**token: Any) -> set[str | None]:
        sightings = site.request("GET", f"/v1/sightings?person={biden}", **token).json["items"]
        alerts = site.request("GET", f"/v1/alerts?person={biden}", **token).json["items"]
        drop = site.request("GET", f"/v1/drops/{alert['drop']}", **token).json
        named = [*sightings, *drop["sightings"]]
        return {one.get("person_name") for one in named} | {one.get("subject_name") for one in alerts}

    assert names(role="reviewer") == {"Joe"}
    assert names(role="viewer") == {None}
    assert names(token=site.token("admin", "gate-1", "gate-2")) == {None}


def test_alerts_are_found_by_person_and_id_and_people_by_a_part_of_their_name(
    site: Site, biden: str, alert: dict[str, Any]
):
    def ids(path: str) -> set[str]:
        return {one["id"] for one in site.request("GET", f"/v1/{path}").json["items"]}

    assert alert["id"] in ids(f"alerts?person={biden}&id_prefix={alert['id'][:8]}")
    assert ids("alerts?person=p-000000000000") == set()
    assert ids("people?name=jO") == {biden}


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"no picture", "not-an-image"), ((PHOTOS / "biden.jpg").read_bytes(), "already-enrolled")],
)
def test_an_unsuitable_photo_is_refused_with_the_reason(site: Site, biden: str, body: bytes, reason: str):
    other = site.request("POST", "/v1/people", {"name": uuid.uuid4().hex}).json["id"]

    response = site.request("POST", f"/v1/people/{other}/photos", body, media="image/jpeg")

    assert (response.status, response.json["reason"]) == (422, reason)
    assert ("boxes_px" in response.json) == (reason == "already-enrolled")
    assert response.json.get("person") == (biden if reason == "already-enrolled" else None)
    assert ("name" in response.json) == (reason == "already-enrolled")


def test_photos_of_a_person_are_listed_and_deleted_one_by_one(site: Site, biden: str):
    person = site.request("POST", "/v1/people", {"name": "one photo", "gallery": "photos"}).json["id"]
    body = (PHOTOS / "obama.jpg").read_bytes()
    assert site.request("POST", f"/v1/people/{person}/photos", body, media="image/jpeg").status == 201
    (photo,) = site.request("GET", f"/v1/people/{person}/photos").json["items"]

    of_another = site.request("DELETE", f"/v1/people/{biden}/photos/{photo['id']}")
    deleted = site.request("DELETE", f"/v1/people/{person}/photos/{photo['id']}")
    again = site.request("DELETE", f"/v1/people/{person}/photos/{photo['id']}")

    assert 0 < photo["quality"] <= 1
    assert (of_another.status, deleted.status, again.status) == (404, 204, 404)
    assert site.request("GET", f"/v1/people/{person}/photos").json["items"] == []
    assert site.request("GET", f"/v1/people/{person}").json["photos"] == 0
    assert site.request("GET", f"/v1/people/{biden}").json["photos"] == 1


def test_two_faces_are_compared_and_a_face_has_candidates_with_names(site: Site, biden: str):
    photo, other = (
        base64.b64encode((PHOTOS / f"{name}.jpg").read_bytes()).decode() for name in ("biden", "obama")
    )

    same, different = (
        site.request("POST", "/v1/faces/compare", {"image": photo, "other_image": one}).json["faces"][0]
        for one in (photo, other)
    )
    (candidate, *_) = site.request("POST", "/v1/faces/candidates", {"image": photo}).json["items"]

    assert different["similarity"] < 50
    assert same["similarity"] > 99
    assert candidate["person"] == biden
    assert candidate["name"]
    assert candidate["similarity"] > 99


def test_a_name_is_unique_and_can_be_changed(site: Site):
    name, other = uuid.uuid4().hex, uuid.uuid4().hex
    person = site.request("POST", "/v1/people", {"name": name}).json["id"]

    again = site.request("POST", "/v1/people", {"name": name.upper()})
    site.request("PATCH", f"/v1/people/{person}", {"name": other})

    assert (again.status, again.json["type"]) == (409, "urn:vigil:problem:name-taken")
    assert site.request("GET", f"/v1/people/{person}").json["name"] == other
    assert site.request("POST", "/v1/people", {"name": name}).status == 201


def test_the_command_line_lists_people_reviews_and_erases(site: Site, biden: str, tmp_path: Path):
    person = str(site.request("POST", "/v1/people", {"name": uuid.uuid4().hex}).json["id"])
    site.upload_drop((PHOTOS / "biden.jpg").read_bytes(), "desk")
    (alert,) = site.request("GET", "/v1/alerts?source=desk").json["items"]
    here = ["--data", str(site.data)]
    runner = CliRunner()

    listed = runner.invoke(app, ["people", "list", *here])
    decided = runner.invoke(app, ["review", alert["id"], "not-this-person", *here])
    again = runner.invoke(app, ["review", alert["id"], "confirm", *here])
    erased = runner.invoke(app, ["people", "erase", person, "--receipt", str(tmp_path / "r.json"), *here])

    assert (listed.exit_code, biden in listed.output) == (0, True)
    assert (decided.exit_code, "not-this-person" in decided.output, again.exit_code) == (0, True, 1)
    assert (erased.exit_code, site.request("GET", f"/v1/people/{person}").status) == (0, 404)


def test_a_person_is_known_only_where_a_source_compares_with_their_gallery(site: Site, biden: str):
    image = base64.b64encode((PHOTOS / "biden.jpg").read_bytes()).decode()

    def labels(*galleries: str) -> list[str]:
        body = {"image": image, "galleries": galleries}
        return [one["label"] for one in site.request("POST", "/v1/predict/faces", body).json["sightings"]]

    assert (labels("default"), labels("members"), labels("members", "default")) == (
        [biden],
        ["unknown"],
        [biden],
    )


def test_a_token_of_a_gallery_accesses_its_people_only(site: Site, biden: str):
    token = site.running.issue_token("admin", subject="members-desk", galleries=["members"])
    name = uuid.uuid4().hex
    created = [
        site.request("POST", "/v1/people", {"name": name, "gallery": gallery}, token=token)
        for gallery in ("members", "default")
    ]
    member = str(created[0].json["id"])
    foreign = [
        site.request(method, f"/v1/people/{biden}{path}", body, token=token).status
        for method, path, body in (
            ("GET", "", None),
            ("PATCH", "", {"name": "x"}),
            ("PUT", "/watch", None),
            ("DELETE", "/consent", None),
            ("DELETE", "", None),
        )
    ]
    photo = site.request(
        "POST",
        f"/v1/people/{biden}/photos",
        (PHOTOS / "obama.jpg").read_bytes(),
        media="image/jpeg",
        token=token,
    )

    assert [one.status for one in created] == [201, 403]
    assert (foreign, photo.status) == ([404] * 5, 404)
    assert [one["id"] for one in site.request("GET", "/v1/people", token=token).json["items"]] == [member]
    assert site.request("POST", "/v1/people", {"name": name}).status == 201
    assert site.request("DELETE", f"/v1/people/{member}", token=token).status == 200
