"""A person erased is gone: from every object version, row, queue and log line; and that can be proved."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloud.dynamodb.releases import DynamoReleases
from cloud.s3.objects import S3ObjectStore
from cloud.s3.releases import S3ReleaseStore
from tests.e2e.api.conftest import (
    PHOTOS,
    WAIT_S,
    Site,
    wait_for_reload,
)
from tests.fakes.memory import NOON
from vigil.faces.gallery import deserialize_gallery
from vigil.releases.lifecycle import registered_state
from vigil.releases.manifest import ReleaseManifest
from vigil.releases.rollout import ReleaseRecord
from vigil.statistics import Interval
from vigil.training.dataset import format_manifest
from vigil.training.dataset_store import dataset_prefix
from vigil.training.examples import SPLITS, DatasetEntry
from vigil_cli.__main__ import app
from vigil_cli.erasure_scan import ErasureScan

NAME = "Zebulon Quixano"
MODEL = "lessons"
DATA = "d" * 16
RELEASE = ReleaseManifest(MODEL, {}, "MIT", "", dataset_id=DATA)


def library_of(site: Site) -> S3ObjectStore:
    return S3ObjectStore(site.cloud.client("s3"), site.cloud.outputs["StoreBucket"])


def add_training_data(site: Site, *people: str) -> None:
    """A stored data set that holds these people, and a release that learned from it."""
    library = library_of(site)
    for split in SPLITS:
        place = f"{dataset_prefix(MODEL, DATA)}/{split}"
        entries = [
            DatasetEntry(f"{n}.png", "", who, split, who, "rita", NOON, {"source": "hall"}, (who,))
            for n, who in enumerate(people)
        ]
        for _ in range(2):
            library.put_object(f"{place}/manifest.jsonl", format_manifest(entries).encode())
        for entry in entries:
            library.put_object(f"{place}/{entry.key}", b"a face")
    told = {"content": DATA, "splits": {split: dict.fromkeys(people, 1) for split in SPLITS}, "pruned": []}
    library.put_object(f"{dataset_prefix(MODEL, DATA)}/dataset.json", json.dumps(told).encode())
    S3ReleaseStore(site.cloud.client("s3"), library.bucket).put_release(RELEASE, {})
    lives = DynamoReleases(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])
    standing = ReleaseRecord(registered_state(MODEL, RELEASE.id, NOON), Interval(0.9, 0.8, 1.0, 3))
    lives.register(standing, bundled=None, data=DATA, parent=None)


@pytest.fixture(scope="module")
def receipt(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of somebody who was enrolled, watched, seen, alerted, reviewed and renamed; then erased."""
    person = site.enrol_person("Zebulon", "obama.jpg")
    site.request("PATCH", f"/v1/people/{person}", {"name": NAME}, headers={"Idempotency-Key": "zebulon"})
    site.request("PUT", f"/v1/people/{person}/watch", headers={"Idempotency-Key": "watch-zebulon"})
    wait_for_reload()
    drop = upload_under_key(site, "live/faces/erasing/Zebulon.jpg")
    (alert,) = site.request("GET", "/v1/alerts?source=erasing").json["items"]
    site.request("POST", f"/v1/alerts/{alert['id']}/reviews", {"decision": "dismiss"})
    assert [one["person"] for one in drop["sightings"]] == [person]
    site.request("PUT", f"/v1/people/{person}/consent")
    site.request("PUT", f"/v1/drops/{drop['id']}/label", {"label": person})
    add_training_data(site, person, "p-0123456789ab")
    site.cloud.client("s3").put_object(
        Bucket=site.cloud.outputs["StoreBucket"], Key=f"enrol/{person}/left.jpg", Body=b"never examined"
    )
    assert any(list(look()) for look in ErasureScan(site.cloud, [person], site.data).scans.values())
    answer = site.request("DELETE", f"/v1/people/{person}")
    assert answer.status == 200, answer.text
    file = tmp_path_factory.mktemp("receipts") / "receipt.json"
    file.write_text(answer.text)
    return file


def upload_under_key(site: Site, key: str) -> dict[str, Any]:
    """A photo that somebody put there under a name of their own; its drop, once it has ended."""
    photo = (PHOTOS / "obama2.jpg").read_bytes()
    site.cloud.client("s3").put_object(Bucket=site.cloud.outputs["PhotosBucket"], Key=key, Body=photo)
    source, ends = key.split("/")[2], time.monotonic() + WAIT_S
    while not (found := site.request("GET", f"/v1/drops?source={source}").json["items"]):
        assert time.monotonic() < ends, "no drop of it"
    ended: dict[str, Any] = site.request("GET", f"/v1/drops/{found[0]['id']}?wait=20").json
    return ended


def person_of(receipt: Path) -> str:
    return str(json.loads(receipt.read_text())["receipt"]["person"])


def test_the_receipt_says_what_was_erased_and_not_who(receipt: Path):
    told = json.loads(receipt.read_text())["receipt"]

    assert (told["erased"]["templates"], told["erased"]["photos"]) == (1, 2)
    assert {kind for kind, count in told["erased"].items() if count} >= {
        "snapshots",
        "photos",
        "sightings",
        "alerts",
        "examples",
    }
    assert NAME not in receipt.read_text()


def test_nothing_of_them_is_left_anywhere(site: Site, receipt: Path):
    remains = ErasureScan(site.cloud, [person_of(receipt), NAME, "Zebulon"], site.data)

    found = {place: list(look()) for place, look in remains.scans.items()}

    assert found == {place: [] for place in found}
    assert min(remains.scanned[place] for place in ("object versions", "rows", "log lines")) > 0


def test_the_command_proves_it(site: Site, receipt: Path):
    photo = str(PHOTOS / "obama3.jpg")
    words = [
        "people",
        "verify-erasure",
        str(receipt),
        "--name",
        NAME,
        "--photo",
        photo,
        "--data",
        str(site.data),
    ]

    answer = CliRunner().invoke(app, words)

    assert answer.exit_code == 0, answer.output
    assert "nothing else is stored" in answer.output


def test_a_face_that_was_seen_since_is_found_by_photo_until_it_is_erased_too(site: Site, receipt: Path):
    site.upload_drop((PHOTOS / "obama2.jpg").read_bytes(), "vault-since")
    photo = str(PHOTOS / "obama3.jpg")
    words = ["people", "verify-erasure", str(receipt), "--photo", photo, "--data", str(site.data)]

    since = CliRunner().invoke(app, words)
    again = site.enrol_person("Once More", "obama.jpg")
    site.request("DELETE", f"/v1/people/{again}")
    after = CliRunner().invoke(app, words)

    assert (since.exit_code, "unknown subjects of vault-since" in since.output) == (1, True), since.output
    assert after.exit_code == 0, after.output


def test_stored_data_sets_are_without_them_and_their_releases_say_so(site: Site, receipt: Path):
    library = library_of(site)

    held = [
        one["Key"].removeprefix(f"data/{MODEL}/{DATA}/") for one in library.list_versions(f"data/{MODEL}/")
    ]

    left = [f"{split}/{name}" for split in SPLITS for name in ("1.png", "manifest.jsonl")]
    assert sorted(held) == sorted([*left, "dataset.json"])
    marked = S3ReleaseStore(site.cloud.client("s3"), library.bucket).read_manifest(MODEL, RELEASE.id)
    assert [one.removed_items for one in marked.removed_data] == [3]
    shown = CliRunner().invoke(app, ["models", "show", MODEL, "--data", str(site.data)])
    assert "learned from 3 pictures" in shown.output


def test_a_picture_that_no_manifest_names_is_found(site: Site, receipt: Path):
    library, stray = library_of(site), f"{dataset_prefix(MODEL, DATA)}/test/stray.png"
    library.put_object(stray, b"whose?")

    found = list(ErasureScan(site.cloud, [], site.data).scans["data sets"]())

    library.delete_all_versions(stray)
    assert ["stray.png" in one for one in found] == [True]


def test_a_receipt_that_can_be_had_again_is_no_remains(site: Site, tmp_path: Path):
    person = site.request("POST", "/v1/people", {"name": "Quillon"}).json["id"]
    key = {"Idempotency-Key": "erase-quillon"}
    answers = [site.request("DELETE", f"/v1/people/{person}", headers=key) for _ in range(2)]
    file = tmp_path / "receipt.json"
    file.write_text(answers[0].text)

    proof = CliRunner().invoke(
        app, ["people", "verify-erasure", str(file), "--name", "Quillon", "--data", str(site.data)]
    )

    assert answers[0].json == answers[1].json
    assert proof.exit_code == 0, proof.output


def test_a_receipt_that_was_changed_is_found_out(site: Site, receipt: Path, tmp_path: Path):
    told = json.loads(receipt.read_text())
    told["receipt"]["erased"]["templates"] = 7
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps(told))

    answer = CliRunner().invoke(app, ["people", "verify-erasure", str(forged), "--data", str(site.data)])

    assert answer.exit_code == 2


def test_they_are_a_stranger_from_then_on(site: Site, receipt: Path):
    drop = site.upload_drop((PHOTOS / "obama2.jpg").read_bytes(), "afterwards")

    assert [one["status"] for one in drop["sightings"]] == ["unknown"]


def test_what_was_seen_of_them_names_nobody(site: Site, receipt: Path):
    (alert,) = site.request("GET", "/v1/alerts?source=erasing").json["items"]
    drop = site.request("GET", f"/v1/drops/{alert['drop']}").json

    assert alert["subject"] == "erased"
    assert [(one["label"], one.get("person")) for one in drop["sightings"]] == [("erased", None)]
    assert {"photo_url", "thumbnail_url"} & set(drop) == set(), "the photo is gone, and what it was called"


def test_the_gallery_in_force_holds_the_others_still(site: Site, receipt: Path, biden: str):
    row = site.cloud.client("dynamodb").get_item(
        TableName=site.cloud.outputs["PeopleTable"], Key={"pk": {"S": "gallery"}, "sk": {"S": "pointer"}}
    )["Item"]
    (key,) = (one["S"] for one in row["keys"]["M"].values())
    body = (
        site.cloud.client("s3").get_object(Bucket=site.cloud.outputs["StoreBucket"], Key=key)["Body"].read()
    )

    gallery = deserialize_gallery(body)

    assert gallery.person(person_of(receipt)) is None
    assert gallery.person(biden) is not None


def test_somebody_who_is_gone_is_not_found(site: Site, receipt: Path):
    person = person_of(receipt)

    assert site.request("GET", f"/v1/people/{person}").status == 404
    assert site.request("DELETE", f"/v1/people/{person}").json == json.loads(receipt.read_text())
    assert site.request("DELETE", "/v1/people/p-000000000000").status == 404


def test_what_was_seen_of_them_says_that_there_is_nothing_to_look_at(site: Site, receipt: Path):
    (alert,) = site.request("GET", "/v1/alerts?source=erasing").json["items"]
    (sighting,) = site.request("GET", f"/v1/drops/{alert['drop']}").json["sightings"]

    shown = [(one["subject_erased"], one.get("thumbnail_url")) for one in (alert, sighting)]
    assert shown == [(True, None)] * 2
