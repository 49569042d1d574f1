"""A person erased is gone: from every object version, row, queue and log line; and that can be proved."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.cli.__main__ import app
from infra.cli.remains import Remains
from tests.api.conftest import PHOTOS, Site, noticed
from vigil.faces import snapshot

NAME = "Zebulon Quixano"


@pytest.fixture(scope="module")
def receipt(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of somebody who was enrolled, watched, seen, alerted, reviewed and renamed; then erased."""
    person = site.enrolled("Zebulon", "obama.jpg")
    site.ask("PATCH", f"/v1/people/{person}", {"name": NAME}, headers={"Idempotency-Key": "zebulon"})
    site.ask("PUT", f"/v1/people/{person}/watch", headers={"Idempotency-Key": "watch-zebulon"})
    noticed()
    drop = site.dropped((PHOTOS / "obama2.jpg").read_bytes(), "erasing")
    (alert,) = site.ask("GET", "/v1/alerts?source=erasing").json["items"]
    site.ask("POST", f"/v1/alerts/{alert['alert']}/reviews", {"verdict": "dismiss"})
    assert [one["person"] for one in drop["sightings"]] == [person]
    assert any(list(look()) for look in Remains(site.cloud, [person], site.data).places.values())
    answer = site.ask("DELETE", f"/v1/people/{person}")
    assert answer.status == 200, answer.text
    file = tmp_path_factory.mktemp("receipts") / "receipt.json"
    file.write_text(answer.text)
    return file


def person_of(receipt: Path) -> str:
    return str(json.loads(receipt.read_text())["receipt"]["person"])


def test_the_receipt_says_what_was_erased_and_not_who(receipt: Path):
    told = json.loads(receipt.read_text())["receipt"]

    assert told["erased"]["templates"] == 1
    assert {kind for kind, count in told["erased"].items() if count} >= {
        "snapshots",
        "photos",
        "sightings",
        "alerts",
    }
    assert NAME not in receipt.read_text()


def test_nothing_of_them_is_left_anywhere(site: Site, receipt: Path):
    remains = Remains(site.cloud, [person_of(receipt), NAME, "Zebulon"], site.data)

    found = {place: list(look()) for place, look in remains.places.items()}

    assert found == {place: [] for place in found}
    assert min(remains.looked[place] for place in ("object versions", "rows", "log lines")) > 0


def test_the_command_proves_it(site: Site, receipt: Path):
    words = ["erasure", "verify", str(receipt), "--name", NAME, "--data", str(site.data)]

    answer = CliRunner().invoke(app, words)

    assert answer.exit_code == 0, answer.output
    assert "nothing of them is left" in answer.output


def test_a_receipt_that_was_changed_is_found_out(site: Site, receipt: Path, tmp_path: Path):
    told = json.loads(receipt.read_text())
    told["receipt"]["erased"]["templates"] = 7
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps(told))

    answer = CliRunner().invoke(app, ["erasure", "verify", str(forged), "--data", str(site.data)])

    assert answer.exit_code == 2


def test_they_are_a_stranger_from_then_on(site: Site, receipt: Path):
    drop = site.dropped((PHOTOS / "obama2.jpg").read_bytes(), "afterwards")

    assert [one["status"] for one in drop["sightings"]] == ["unknown"]


def test_what_was_seen_of_them_names_nobody(site: Site, receipt: Path):
    (alert,) = site.ask("GET", "/v1/alerts?source=erasing").json["items"]
    drop = site.ask("GET", f"/v1/drops/{alert['drop']}").json

    assert alert["subject"] == "erased"
    assert [(one["label"], one.get("person")) for one in drop["sightings"]] == [("erased", None)]
    assert site.http.request("GET", drop["photo_url"]).status == 404


def test_the_gallery_in_force_holds_the_others_still(site: Site, receipt: Path, biden: str):
    row = site.cloud.client("dynamodb").get_item(
        TableName=site.cloud.outputs["PeopleTable"], Key={"pk": {"S": "gallery"}, "sk": {"S": "pointer"}}
    )["Item"]
    body = (
        site.cloud.client("s3")
        .get_object(Bucket=site.cloud.outputs["StoreBucket"], Key=row["key"]["S"])["Body"]
        .read()
    )

    gallery = snapshot.from_bytes(body)

    assert gallery.person(person_of(receipt)) is None
    assert gallery.person(biden) is not None


def test_somebody_who_is_gone_is_not_found(site: Site, receipt: Path):
    person = person_of(receipt)

    assert site.ask("GET", f"/v1/people/{person}").status == 404
    assert site.ask("DELETE", f"/v1/people/{person}").status == 404
