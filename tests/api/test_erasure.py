"""A person erased is gone: from every object version, row, queue and log line; and that can be proved."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloud.depot import Depot
from cloud.library import S3Library
from cloud.lives import DynamoLives
from infra.cli.__main__ import app
from infra.cli.remains import Remains
from tests.api.conftest import PHOTOS, WAIT_S, Site, noticed
from tests.memory import NOON
from vigil.faces import snapshot
from vigil.flow.prune import folder
from vigil.learn.example import SPLITS, Entry
from vigil.learn.interval import Interval
from vigil.learn.manifest import written
from vigil.learn.pedigree import Pedigree
from vigil.learn.release import register
from vigil.learn.stages import Standing

NAME = "Zebulon Quixano"
LESSON = "lessons"
DATA = "d" * 16
RELEASE = Pedigree(LESSON, {}, "MIT", "", data=DATA)


def library_of(site: Site) -> S3Library:
    return S3Library(site.cloud.client("s3"), site.cloud.outputs["StoreBucket"])


def learned_from(site: Site, *people: str) -> None:
    """A stored data set that holds these people, and a release that learned from it."""
    library = library_of(site)
    for split in SPLITS:
        place = f"{folder(LESSON, DATA)}/{split}"
        entries = [
            Entry(f"{n}.png", "", who, split, who, "rita", NOON, {"source": "hall"}, (who,))
            for n, who in enumerate(people)
        ]
        for _ in range(2):
            library.put(f"{place}/manifest.jsonl", written(entries).encode())
        for entry in entries:
            library.put(f"{place}/{entry.object}", b"a face")
    told = {"content": DATA, "splits": {split: dict.fromkeys(people, 1) for split in SPLITS}, "pruned": []}
    library.put(f"{folder(LESSON, DATA)}/dataset.json", json.dumps(told).encode())
    Depot(site.cloud.client("s3"), library.bucket).put(RELEASE, {})
    lives = DynamoLives(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])
    standing = Standing(register(LESSON, RELEASE.id, NOON), Interval(0.9, 0.8, 1.0, 3))
    lives.register(standing, bundled=None, data=DATA, parent=None)


@pytest.fixture(scope="module")
def receipt(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of somebody who was enrolled, watched, seen, alerted, reviewed and renamed; then erased."""
    person = site.enrolled("Zebulon", "obama.jpg")
    site.ask("PATCH", f"/v1/people/{person}", {"name": NAME}, headers={"Idempotency-Key": "zebulon"})
    site.ask("PUT", f"/v1/people/{person}/watch", headers={"Idempotency-Key": "watch-zebulon"})
    noticed()
    drop = dropped_by_name(site, "live/faces/erasing/Zebulon.jpg")
    (alert,) = site.ask("GET", "/v1/alerts?source=erasing").json["items"]
    site.ask("POST", f"/v1/alerts/{alert['alert']}/reviews", {"verdict": "dismiss"})
    assert [one["person"] for one in drop["sightings"]] == [person]
    site.ask("PUT", f"/v1/people/{person}/consent")
    site.ask("PUT", f"/v1/drops/{drop['drop']}/label", {"label": person})
    learned_from(site, person, "p-0123456789ab")
    site.cloud.client("s3").put_object(
        Bucket=site.cloud.outputs["StoreBucket"], Key=f"enrol/{person}/left.jpg", Body=b"never examined"
    )
    assert any(list(look()) for look in Remains(site.cloud, [person], site.data).places.values())
    answer = site.ask("DELETE", f"/v1/people/{person}")
    assert answer.status == 200, answer.text
    file = tmp_path_factory.mktemp("receipts") / "receipt.json"
    file.write_text(answer.text)
    return file


def dropped_by_name(site: Site, key: str) -> dict[str, Any]:
    """A photo that somebody put there under a name of their own; its drop, once it has ended."""
    photo = (PHOTOS / "obama2.jpg").read_bytes()
    site.cloud.client("s3").put_object(Bucket=site.cloud.outputs["PhotosBucket"], Key=key, Body=photo)
    source, ends = key.split("/")[2], time.monotonic() + WAIT_S
    while not (found := site.ask("GET", f"/v1/drops?source={source}").json["items"]):
        assert time.monotonic() < ends, "no drop of it"
    ended: dict[str, Any] = site.ask("GET", f"/v1/drops/{found[0]['drop']}?wait=20").json
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
    remains = Remains(site.cloud, [person_of(receipt), NAME, "Zebulon"], site.data)

    found = {place: list(look()) for place, look in remains.places.items()}

    assert found == {place: [] for place in found}
    assert min(remains.looked[place] for place in ("object versions", "rows", "log lines")) > 0


def test_the_command_proves_it(site: Site, receipt: Path):
    photo = str(PHOTOS / "obama3.jpg")
    words = ["erasure", "verify", str(receipt), "--name", NAME, "--photo", photo, "--data", str(site.data)]

    answer = CliRunner().invoke(app, words)

    assert answer.exit_code == 0, answer.output
    assert "nothing of them is left" in answer.output


def test_a_face_that_was_seen_since_is_found_by_photo_until_it_is_erased_too(site: Site, receipt: Path):
    site.dropped((PHOTOS / "obama2.jpg").read_bytes(), "vault-since")
    photo = str(PHOTOS / "obama3.jpg")
    words = ["erasure", "verify", str(receipt), "--photo", photo, "--data", str(site.data)]

    since = CliRunner().invoke(app, words)
    again = site.enrolled("Once More", "obama.jpg")
    site.ask("DELETE", f"/v1/people/{again}")
    after = CliRunner().invoke(app, words)

    assert (since.exit_code, "strangers of vault-since" in since.output) == (1, True), since.output
    assert after.exit_code == 0, after.output


def test_stored_data_sets_are_without_them_and_their_releases_say_so(site: Site, receipt: Path):
    library = library_of(site)

    held = [one["Key"].removeprefix(f"data/{LESSON}/{DATA}/") for one in library.versions(f"data/{LESSON}/")]

    left = [f"{split}/{name}" for split in SPLITS for name in ("1.png", "manifest.jsonl")]
    assert sorted(held) == sorted([*left, "dataset.json"])
    marked = Depot(site.cloud.client("s3"), library.bucket).pedigree(LESSON, RELEASE.id)
    assert [one.items for one in marked.forgotten] == [3]
    shown = CliRunner().invoke(app, ["models", LESSON, "--data", str(site.data)])
    assert "learned from 3 pictures" in shown.output


def test_a_picture_that_no_manifest_names_is_found(site: Site, receipt: Path):
    library, stray = library_of(site), f"{folder(LESSON, DATA)}/test/stray.png"
    library.put(stray, b"whose?")

    found = list(Remains(site.cloud, [], site.data).places["data sets"]())

    library.shred(stray)
    assert ["stray.png" in one for one in found] == [True]


def test_a_receipt_that_can_be_had_again_is_no_remains(site: Site, tmp_path: Path):
    person = site.ask("POST", "/v1/people", {"name": "Quillon"}).json["person"]
    key = {"Idempotency-Key": "erase-quillon"}
    answers = [site.ask("DELETE", f"/v1/people/{person}", headers=key) for _ in range(2)]
    file = tmp_path / "receipt.json"
    file.write_text(answers[0].text)

    proof = CliRunner().invoke(
        app, ["erasure", "verify", str(file), "--name", "Quillon", "--data", str(site.data)]
    )

    assert answers[0].json == answers[1].json
    assert proof.exit_code == 0, proof.output


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
    assert {"photo_url", "thumbnail_url"} & set(drop) == set(), "the photo is gone, and what it was called"


def test_the_gallery_in_force_holds_the_others_still(site: Site, receipt: Path, biden: str):
    row = site.cloud.client("dynamodb").get_item(
        TableName=site.cloud.outputs["PeopleTable"], Key={"pk": {"S": "gallery"}, "sk": {"S": "pointer"}}
    )["Item"]
    (key,) = (one["S"] for one in row["keys"]["M"].values())
    body = (
        site.cloud.client("s3").get_object(Bucket=site.cloud.outputs["StoreBucket"], Key=key)["Body"].read()
    )

    gallery = snapshot.from_bytes(body)

    assert gallery.person(person_of(receipt)) is None
    assert gallery.person(biden) is not None


def test_somebody_who_is_gone_is_not_found(site: Site, receipt: Path):
    person = person_of(receipt)

    assert site.ask("GET", f"/v1/people/{person}").status == 404
    assert site.ask("DELETE", f"/v1/people/{person}").json == json.loads(receipt.read_text())
    assert site.ask("DELETE", "/v1/people/p-000000000000").status == 404


def test_what_was_seen_of_them_says_that_there_is_nothing_to_look_at(site: Site, receipt: Path):
    (alert,) = site.ask("GET", "/v1/alerts?source=erasing").json["items"]
    (sighting,) = site.ask("GET", f"/v1/drops/{alert['drop']}").json["sightings"]

    assert [(one["forgotten"], one.get("thumbnail_url")) for one in (alert, sighting)] == [(True, None)] * 2
