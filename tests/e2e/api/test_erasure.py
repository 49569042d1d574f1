"""Erasure removes a person from every object version, row, queue and log line, and can be verified."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cloud.dynamodb.people import DynamoPeople
from cloud.dynamodb.releases import DynamoReleases
from cloud.s3.datasets import S3DatasetRepository, dataset_prefix
from cloud.s3.objects import S3ObjectStore, S3ReleaseStore
from tests.e2e.api.conftest import PHOTOS, WAIT_S, Site, wait_for_reload
from tests.fakes.memory import NOON
from vigil.people.galleries import GalleryRepository
from vigil.releases.lifecycle import registered_state
from vigil.releases.manifest import ReleaseManifest
from vigil.releases.rollout import ReleaseRecord
from vigil.statistics import Interval
from vigil.training.dataset_store import DatasetCounts
from vigil.training.examples import SPLITS, DatasetEntry
from vigil_cli.__main__ import app
from vigil_cli.erasure_scan import ErasureScan

NAME = "Zebulon Quixano"
MODEL = "lessons"
DATA = "d" * 16
RELEASE = ReleaseManifest(MODEL, {}, "MIT", "", dataset_id=DATA)


def store_of(site: Site) -> S3ObjectStore:
    return S3ObjectStore(site.cloud.client("s3"), site.cloud.outputs["StoreBucket"])


def add_training_data(site: Site, *people: str) -> None:
    """Store a dataset with pictures of these people, and a release that was trained on it."""
    store = store_of(site)
    repository = S3DatasetRepository(store)
    for split in SPLITS:
        entries = [
            DatasetEntry(f"{n}.png", "", person, split, person, "rita", NOON, {"source": "hall"}, (person,))
            for n, person in enumerate(people)
        ]
        for _ in range(2):
            repository.save_entries(MODEL, DATA, split, entries)
        for entry in entries:
            repository.put_file(MODEL, DATA, split, entry.key, b"a face")
    counts = {split: dict.fromkeys(people, 1) for split in SPLITS}
    repository.save_summary(MODEL, DATA, DatasetCounts(DATA, DATA, NOON, {}, counts))
    S3ReleaseStore(site.cloud.client("s3"), store.bucket).put_release(RELEASE, {})
    releases = DynamoReleases(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])
    record = ReleaseRecord(registered_state(MODEL, RELEASE.id, NOON), Interval(0.9, 0.8, 1.0, 3))
    releases.register(record, bundled=None, data=DATA, parent=None)


@pytest.fixture(scope="module")
def receipt(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The receipt of a person with a name, photos, sightings, alerts, reviews, labels and training data."""
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
    """Upload a photo under a chosen key and return its drop when it has ended."""
    photo = (PHOTOS / "obama2.jpg").read_bytes()
    site.cloud.client("s3").put_object(Bucket=site.cloud.outputs["PhotosBucket"], Key=key, Body=photo)
    source, ends = key.split("/")[2], time.monotonic() + WAIT_S
    while not (found := site.request("GET", f"/v1/drops?source={source}").json["items"]):
        assert time.monotonic() < ends, "no drop of it"
    ended: dict[str, Any] = site.request("GET", f"/v1/drops/{found[0]['id']}?wait=20").json
    return ended


def person_of(receipt: Path) -> str:
    return str(json.loads(receipt.read_text())["receipt"]["person"])


def test_the_receipt_counts_what_was_erased_and_contains_no_name(receipt: Path):
    contents = json.loads(receipt.read_text())["receipt"]

    assert (contents["erased"]["templates"], contents["erased"]["photos"]) == (1, 2)
    assert {kind for kind, count in contents["erased"].items() if count} >= {
        "photos",
        "sightings",
        "alerts",
        "examples",
    }
    assert "snapshots" in contents["erased"]  # 0 if the re-embedding schedule deleted them first
    assert NAME not in receipt.read_text()


def test_nothing_about_an_erased_person_remains_in_any_store(site: Site, receipt: Path):
    remains = ErasureScan(site.cloud, [person_of(receipt), NAME, "Zebulon"], site.data)

    found = {prefix: list(look()) for prefix, look in remains.scans.items()}

    assert found == {prefix: [] for prefix in found}
    assert min(remains.scanned[prefix] for prefix in ("object versions", "rows", "log lines")) > 0


def test_the_command_verifies_the_receipt(site: Site, receipt: Path):
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


def test_a_face_stored_after_the_erasure_is_found_by_photo_until_it_is_erased(site: Site, receipt: Path):
    site.upload_drop((PHOTOS / "obama2.jpg").read_bytes(), "vault-since")
    photo = str(PHOTOS / "obama3.jpg")
    words = ["people", "verify-erasure", str(receipt), "--photo", photo, "--data", str(site.data)]

    since = CliRunner().invoke(app, words)
    again = site.enrol_person("Once More", "obama.jpg")
    site.request("DELETE", f"/v1/people/{again}")
    after = CliRunner().invoke(app, words)

    assert (since.exit_code, "unknown subjects of vault-since" in since.output) == (1, True), since.output
    assert after.exit_code == 0, after.output


def test_datasets_contain_no_erased_person_and_their_releases_record_the_removal(site: Site, receipt: Path):
    store = store_of(site)

    held = [one["Key"].removeprefix(f"data/{MODEL}/{DATA}/") for one in store.list_versions(f"data/{MODEL}/")]

    left = [f"{split}/{name}" for split in SPLITS for name in ("1.png", "manifest.jsonl")]
    assert sorted(held) == sorted([*left, "dataset.json"])
    marked = S3ReleaseStore(site.cloud.client("s3"), store.bucket).read_manifest(MODEL, RELEASE.id)
    assert [one.removed_items for one in marked.removed_data] == [3]


def test_verification_finds_a_picture_that_no_manifest_lists(site: Site, receipt: Path):
    store, stray = store_of(site), f"{dataset_prefix(MODEL, DATA)}/test/stray.png"
    store.put_object(stray, b"whose?")

    found = list(ErasureScan(site.cloud, [], site.data).scans["data sets"]())

    store.delete_all_versions(stray)
    assert ["stray.png" in one for one in found] == [True]


def test_verification_ignores_the_stored_receipt(site: Site, tmp_path: Path):
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


def test_verification_rejects_a_changed_receipt(site: Site, receipt: Path, tmp_path: Path):
    signed = json.loads(receipt.read_text())
    signed["receipt"]["erased"]["templates"] = 7
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps(signed))

    answer = CliRunner().invoke(app, ["people", "verify-erasure", str(forged), "--data", str(site.data)])

    assert answer.exit_code == 2


def test_an_erased_person_is_unknown_in_later_drops(site: Site, receipt: Path):
    drop = site.upload_drop((PHOTOS / "obama2.jpg").read_bytes(), "afterwards")

    assert [one["status"] for one in drop["sightings"]] == ["unknown"]


def test_sightings_of_an_erased_person_contain_no_id(site: Site, receipt: Path):
    (alert,) = site.request("GET", "/v1/alerts?source=erasing").json["items"]
    drop = site.request("GET", f"/v1/drops/{alert['drop']}").json

    assert alert["subject"] == "erased"
    assert [(one["label"], one.get("person")) for one in drop["sightings"]] == [("erased", None)]
    assert {"photo_url", "thumbnail_url"} & set(drop) == set(), "the photo is gone, and what it was called"


def test_the_gallery_keeps_the_templates_of_other_people(site: Site, receipt: Path, biden: str):
    outputs, client = site.cloud.outputs, site.cloud.client
    people = DynamoPeople(client("dynamodb"), outputs["PeopleTable"], store_gallery=lambda _: {})
    galleries = GalleryRepository(people, S3ObjectStore(client("s3"), outputs["StoreBucket"]))

    (gallery,) = galleries.read("default").by_space.values()

    assert gallery.person(person_of(receipt)) is None
    assert gallery.person(biden) is not None


def test_an_erased_person_gets_404(site: Site, receipt: Path):
    person = person_of(receipt)

    assert site.request("GET", f"/v1/people/{person}").status == 404
    assert site.request("DELETE", f"/v1/people/{person}").json == json.loads(receipt.read_text())
    assert site.request("DELETE", "/v1/people/p-000000000000").status == 404


def test_sightings_of_an_erased_person_are_marked_and_have_no_thumbnail(site: Site, receipt: Path):
    (alert,) = site.request("GET", "/v1/alerts?source=erasing").json["items"]
    (sighting,) = site.request("GET", f"/v1/drops/{alert['drop']}").json["sightings"]

    shown = [(one["subject_erased"], one.get("thumbnail_url")) for one in (alert, sighting)]
    assert shown == [(True, None)] * 2
