"""Files and folders as arguments: photos are uploaded, enrolled and labelled, and receipts are written."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.fakes.vigil_api import (
    DROP,
    DROP_RECORD,
    PERSON,
    FakeApi,
    run,
)
from vigil_cli.__main__ import app
from vigil_client import Conflict, Problem, UnprocessableContent


def test_an_uploaded_photo_is_shown_with_the_people_in_it(api: FakeApi, tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(b"")

    result = run("drop", tmp_path / "a.jpg")

    assert result.exit_code == 0, result.output
    assert all(text in result.stdout for text in ("a.jpg", "done", "Ada Lovelace", "0.71", "42"))


def test_a_refused_file_does_not_stop_the_others_and_sets_the_exit_code(api: FakeApi, tmp_path: Path):
    files = [tmp_path / "a.txt", tmp_path / "b.jpg"]
    for file in files:
        file.write_bytes(b"")

    result = run("drop", *files, "--json")

    refused, done = (json.loads(line) for line in result.stdout.splitlines())
    assert result.exit_code == 1
    assert (refused["state"], refused["reason"]) == ("refused", "wrong-type")
    assert done == {"file": str(files[1]), **DROP_RECORD}


def test_an_uploaded_photo_has_a_drop_id_without_waiting(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "a.jpg").write_bytes(b"")
    monkeypatch.setattr(FakeApi, "get_upload", lambda _, upload, **__: {"id": upload, "drop": DROP})

    result = run("drop", tmp_path / "a.jpg", "--wait", "0", "--json")

    expected = {"file": str(tmp_path / "a.jpg"), "state": "uploaded", "id": DROP}
    assert (result.exit_code, json.loads(result.stdout)) == (0, expected)


@pytest.mark.parametrize("is_new", [True, False])
def test_a_new_person_whose_photos_are_all_refused_is_erased(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_new: bool
):
    def create_person(_api: FakeApi, name: str, gallery: str) -> str:
        if is_new:
            return "p-new"
        raise Conflict({"status": 409})

    def enrol_photo(_api: FakeApi, person: str, photo: Path) -> None:
        raise UnprocessableContent({"status": 422, "reason": "no-face", "detail": "no face"})

    (tmp_path / "a.jpg").write_bytes(b"")
    monkeypatch.setattr(FakeApi, "create_person", create_person, raising=False)
    monkeypatch.setattr(FakeApi, "enrol_photo", enrol_photo, raising=False)
    monkeypatch.setattr(
        FakeApi, "erase_person", lambda _, one: api.calls.append(("erase", one)), raising=False
    )

    result = CliRunner().invoke(app, ["enrol", str(PERSON["name"]), str(tmp_path / "a.jpg")])

    assert result.exit_code == 1
    assert "no-face" in result.stderr
    assert api.calls == ([("erase", "p-new")] if is_new else [])


@pytest.fixture
def people_folder(tmp_path: Path) -> Path:
    """Two people with three photos, a text, and a hidden file."""
    for name in ("Ada/1.jpg", "Ada/more/2.png", "Ada/notes.txt", "Ben King/1.jpg", "Ben King/.hidden.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_a_folder_is_dropped_with_all_photos_in_it(api: FakeApi, people_folder: Path):
    result = run("drop", people_folder / "Ada", "--json")

    files = [json.loads(line)["file"] for line in result.stdout.splitlines()]
    assert files == [str(people_folder / "Ada" / one) for one in ("1.jpg", "more/2.png")]


def test_a_folder_without_photos_is_refused_with_the_suffixes_of_the_model(api: FakeApi, tmp_path: Path):
    result = run("drop", tmp_path)

    assert result.exit_code == 2
    assert ".jpg, .png" in result.stderr


def test_everybody_in_a_folder_of_people_is_enrolled_at_once(
    api: FakeApi, people_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    def enrol_photo(_: FakeApi, person: str, photo: Path) -> None:
        if photo.parent.name == "Ben King":
            raise UnprocessableContent({"status": 422, "reason": "no-face", "detail": "no face"})

    monkeypatch.setattr(FakeApi, "create_person", lambda _, name, **__: f"p-{name}", raising=False)
    monkeypatch.setattr(FakeApi, "enrol_photo", enrol_photo, raising=False)
    monkeypatch.setattr(
        FakeApi, "erase_person", lambda _, one: api.calls.append(("erase", one)), raising=False
    )

    result = CliRunner().invoke(app, ["people", "import", str(people_folder)])

    assert result.exit_code == 1
    assert [line.split() for line in result.stdout.splitlines()[2:]] == [
        ["Ada", "p-Ada", "2", "0"],
        ["Ben", "King", "0", "1"],
    ]
    assert "1.jpg: no face (no-face)" in result.stderr
    assert api.calls == [("erase", "p-Ben King")]


def test_uploads_are_summed_up_and_a_rejected_photo_sets_the_exit_code(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    records = iter([{**DROP_RECORD, "alerts": 2}, {**DROP_RECORD, "state": "rejected", "found": None}])
    monkeypatch.setattr(FakeApi, "get_drop", lambda *_, **__: next(records))
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"")

    result = run("drop", tmp_path / "a.jpg", tmp_path / "b.jpg")

    assert result.stdout.splitlines()[-1] == "2 files: 1 done, 1 rejected; found 1; 2 times an alert"
    assert result.exit_code == 1


def _too_large(_: FakeApi, *arguments: Any, **__: Any) -> str:
    photo = next(one for one in arguments if isinstance(one, Path))
    if photo.name == "large.jpg":
        raise Problem({"status": 413, "title": "Too large", "detail": "the limit is 4400000 bytes"})
    photo.read_bytes()
    return "upload-id"


def test_one_photo_that_is_too_large_is_refused_by_its_name_and_the_others_are_enrolled(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    photos = [tmp_path / name for name in ("a.jpg", "large.jpg", "b.jpg")]
    for photo in photos:
        photo.write_bytes(b"photo")
    monkeypatch.setattr(FakeApi, "create_person", lambda *_, **__: "p-new", raising=False)
    monkeypatch.setattr(FakeApi, "enrol_photo", _too_large, raising=False)

    result = run("enrol Ann --json", *photos)

    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert [row["accepted"] for row in rows] == [True, False, True]
    assert "large.jpg: the limit is 4400000 bytes" in result.stderr


def test_a_dropped_file_that_is_too_large_does_not_stop_the_others(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    photos = [tmp_path / name for name in ("large.jpg", "a.jpg")]
    for photo in photos:
        photo.write_bytes(b"photo")
    monkeypatch.setattr(FakeApi, "upload_photo", _too_large)

    rows = [json.loads(line) for line in run("drop --wait 0 --json", *photos).stdout.splitlines()]

    assert [(row["state"], row.get("reason")) for row in rows] == [
        ("refused", "too-large"),
        ("uploaded", None),
    ]


def test_a_clip_is_recognised_by_its_suffix_and_shown_with_its_frames(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    film, models = tmp_path / "film.MP4", list[str]()
    film.write_bytes(b"film")
    clip = {**DROP_RECORD, "model": "clips", "found": 0, "notes": {"frames": 2}, "sightings": []}
    frames = [
        {
            **DROP_RECORD,
            "id": f"{number:032}",
            "frame": {"clip": DROP, "number": number, "time_ms": number * 500},
        }
        for number in (3, 1)
    ]

    def upload_photo(*_: Any, model: str, **__: Any) -> str:
        models.append(model)
        return "upload-id"

    monkeypatch.setattr(FakeApi, "upload_photo", upload_photo)
    monkeypatch.setattr(FakeApi, "get_drop", lambda _, drop, **__: clip if drop == DROP else DROP_RECORD)
    monkeypatch.setattr(FakeApi, "list_drops", lambda *_, clip, **__: iter(frames if clip == DROP else []))

    (row,) = [json.loads(line) for line in run("drops add --json", film).stdout.splitlines()]
    table = run("drop", film).stdout

    assert models == ["clips", "clips"]
    assert [one["file"] for one in row["frames"]] == [f"{film} 0.5 s", f"{film} 1.5 s"]
    assert "Ada Lovelace" in table
    assert "1 files: 1 done; found 2" in table


def test_a_spelling_of_an_enrolled_name_adds_photos_to_the_person(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def create_person(*_: Any, **__: Any) -> str:
        raise Conflict({"status": 409})

    (tmp_path / "a.jpg").write_bytes(b"photo")
    monkeypatch.setattr(FakeApi, "create_person", create_person, raising=False)
    monkeypatch.setattr(FakeApi, "enrol_photo", lambda *_: api.calls.append(_[1:]), raising=False)

    result = CliRunner().invoke(app, ["enrol", str(PERSON["name"]).upper(), str(tmp_path / "a.jpg")])

    assert result.exit_code == 0
    assert api.calls == [(PERSON["id"], tmp_path / "a.jpg")]


@pytest.mark.parametrize("receipt", ["old.json", "nowhere/new.json"])
def test_a_receipt_that_cannot_be_written_is_told_before_the_person_is_erased(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receipt: str
):
    (tmp_path / "old.json").write_text("the receipt of another person")
    monkeypatch.setattr(FakeApi, "erase_person", lambda *_: api.calls.append(("erased",)), raising=False)

    result = run("people erase p-0123456789ab --receipt", tmp_path / receipt)

    assert (result.exit_code, api.calls) == (2, [])
    assert "--receipt" in result.stderr
    assert (tmp_path / "old.json").read_text() == "the receipt of another person"


def test_a_folder_of_a_person_without_photos_does_not_stop_the_import(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("Ann", "Ben"):
        (tmp_path / name).mkdir()
    (tmp_path / "Ben" / "1.jfif").write_bytes(b"photo")
    monkeypatch.setattr(FakeApi, "create_person", lambda _, name, **__: f"p-{name}", raising=False)
    monkeypatch.setattr(FakeApi, "enrol_photo", lambda *_: None, raising=False)

    result = run("people import", tmp_path)

    assert result.exit_code == 1
    assert "Ann: the folder has no photo" in result.stderr.replace("\n", "")
    assert "p-Ben" in result.stdout


@pytest.mark.parametrize(
    "command",
    ["people search", "people verify-erasure", "ops rules", "models train digits --recipe"],
)
def test_a_folder_where_one_file_is_meant_is_refused_by_name(api: FakeApi, tmp_path: Path, command: str):
    result = run(command, tmp_path)

    assert result.exit_code == 2
    assert "is a directory" in result.stderr


def test_many_drops_are_labelled_from_a_csv_file(api: FakeApi, tmp_path: Path):
    file = tmp_path / "labels.csv"
    file.write_bytes(f"\ufeffdrop,label\n{DROP[:8]}, seven \n{DROP},eight\n".encode())

    result = run("drops label-file", file, "--json")

    assert [json.loads(line)["label"] for line in result.stdout.splitlines()] == ["seven", "eight"]
    file.write_text("a,b\n1,2\n")
    assert "columns drop and label" in run("drops label-file", file).stderr


def test_dropped_photos_are_labelled_with_the_name_of_their_folder(
    api: FakeApi, people_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    labels: list[str] = []
    monkeypatch.setattr(FakeApi, "label_drop", lambda *arguments: labels.append(arguments[2]))

    run("drop", people_folder, "--label-by-folder")

    assert labels == ["Ada", "more", "Ben King"]
