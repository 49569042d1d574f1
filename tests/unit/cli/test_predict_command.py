"""`vigil predict`: one JSON object a photo, whatever the photo is; a table for people; marked photographs."""

import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from tests.fakes.built_models import PHOTOS, built_releases, photo
from tests.fakes.onnx_classifier import write_classifier
from vigil_cli.__main__ import app
from vigil_cli.annotate import FaceLabel, annotate
from vigil_cli.offline import load_models


@pytest.fixture(autouse=True)
def _models_built() -> None:
    built_releases()


@pytest.fixture
def people(tmp_path: Path) -> Path:
    for name in ("obama", "biden"):
        (tmp_path / "people" / name).mkdir(parents=True)
        shutil.copy(PHOTOS / f"{name}.jpg", tmp_path / "people" / name)
    return tmp_path / "people"


def _run_json(*arguments: object, code: int = 0) -> list[dict[str, Any]]:
    ran = CliRunner().invoke(app, ["predict", *map(str, arguments)])
    assert ran.exit_code == code, ran.output
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_a_photo_gives_one_object_with_every_face_in_full():
    answer = _run_json("faces", "--json", PHOTOS / "obama2.jpg")[0]

    face = answer["faces"][0]
    assert list(answer) == ["photo", "faces", "error"]
    assert answer["photo"] == str(PHOTOS / "obama2.jpg")
    assert answer["error"] is None
    assert list(face) == ["box", "score", "quality", "landmarks", "embedding"]
    assert (len(face["box"]), len(face["landmarks"]), len(face["embedding"])) == (4, 68, 512)


def test_a_gallery_adds_who_it_is_and_how_sure(people: Path):
    answers = _run_json("faces", "--json", "--gallery", people, PHOTOS / "obama3.jpg", PHOTOS / "biden.jpg")

    faces = [answer["faces"][0] for answer in answers]
    assert [face["match"] for face in faces] == ["obama", "biden"]
    assert all(0 < face["fmr"] < 1e-4 < face["threshold"] < 0.6 for face in faces)


def test_a_bad_photo_is_an_answer_and_the_rest_goes_on(tmp_path: Path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "cut.jpg").write_bytes(photo("obama.jpg")[:9000])

    answers = _run_json(
        "faces",
        "--json",
        *(tmp_path / f"{name}.jpg" for name in ("empty", "text", "cut", "gone")),
        PHOTOS / "obama.jpg",
    )

    reasons = [answer["error"] and answer["error"]["reason"] for answer in answers]
    assert reasons == ["empty-file", "not-an-image", "truncated-image", "unreadable-file", None]
    assert [len(answer["faces"]) for answer in answers] == [0, 0, 0, 0, 1]


def test_it_fails_only_where_no_photo_could_be_read(tmp_path: Path):
    assert _run_json("faces", "--json", tmp_path / "gone.jpg", code=1)[0]["faces"] == []


def test_without_json_there_is_a_table(people: Path):
    ran = CliRunner().invoke(app, ["predict", "faces", "--gallery", str(people), str(PHOTOS / "obama2.jpg")])

    assert "obama2.jpg" in ran.stdout
    assert "0.7" in ran.stdout


def test_an_unknown_model_is_named_with_those_there_are():
    ran = CliRunner().invoke(app, ["predict", "nothing", str(PHOTOS / "obama.jpg")])

    assert ran.exit_code == 2
    assert "faces" in ran.stderr


def test_a_classifier_says_labels_and_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_classifier(tmp_path / "models")
    monkeypatch.setattr("vigil_cli.offline.load_models", lambda: load_models(tmp_path / "models"))
    Image.new("RGB", (40, 30), "blue").save(tmp_path / "sea.png")

    answer = _run_json("tiny-colours", "--json", tmp_path / "sea.png")[0]

    assert answer["labels"][0]["label"] == "blue"
    assert answer["labels"][0]["score"] > 0.9


def test_photos_are_drawn_with_their_faces_marked(tmp_path: Path, people: Path):
    _run_json("faces", "--json", "--gallery", people, "--draw", tmp_path / "out", PHOTOS / "obama2.jpg")

    with Image.open(tmp_path / "out" / "obama2.png") as drawn:
        assert drawn.size == (626, 1200)


def test_a_marked_photograph_is_upright_and_not_larger_than_shown():
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    Image.new("RGB", (4000, 2000), (90, 90, 90)).save(out, "JPEG", exif=exif)

    drawn = Image.open(
        io.BytesIO(annotate(out.getvalue(), [FaceLabel((100, 100, 900, 1100), "Ann", "known", 0.81)]))
    )

    assert drawn.size == (800, 1600)
    assert len(drawn.getcolors(10**6) or ()) > 20


def _gallery(folder: Path, photos: dict[str, str]) -> Path:
    """A folder with copies of sample photographs: {"Ann/1.jpg": "obama.jpg"}."""
    for place, name in photos.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PHOTOS / name, folder / place)
    return folder


def test_somebody_else_s_photo_in_a_folder_of_the_gallery_is_refused(tmp_path: Path):
    photos = {
        "Ann/1.jpg": "obama.jpg",
        "Ann/2": "obama2.jpg",
        "Ann/3.jpg": "biden.jpg",
        "Ann/4.jpg": "obama.jpg",
    }
    people = _gallery(tmp_path / "people", photos)
    ran = CliRunner().invoke(
        app,
        [
            "predict",
            "faces",
            "--json",
            "--gallery",
            str(people),
            str(PHOTOS / "biden.jpg"),
            str(PHOTOS / "obama3.jpg"),
        ],
    )

    found = [json.loads(line)["faces"][0]["match"] for line in ran.stdout.splitlines()]
    assert found == [None, "Ann"]
    assert "3.jpg: not enrolled: the face is not that of the person" in ran.stderr
    assert "4.jpg: not enrolled: the file is the same" in ran.stderr


@pytest.mark.parametrize(
    ("photos", "message"),
    [
        ({}, "is empty"),
        ({"1.jpg": "obama.jpg"}, "has no folder"),
        ({"Ann/old/1.jpg": "obama.jpg"}, "no photos directly in them"),
    ],
)
def test_a_gallery_that_is_empty_flat_or_too_deep_is_refused(
    tmp_path: Path, photos: dict[str, str], message: str
):
    (tmp_path / "people").mkdir()
    people = _gallery(tmp_path / "people", photos)

    ran = CliRunner().invoke(
        app,
        ["predict", "faces", "--gallery", str(people), str(PHOTOS / "obama3.jpg")],
        env={"COLUMNS": "400"},
    )

    assert ran.exit_code == 2
    assert message in ran.stderr
    assert "NAME/photo.jpg" in ran.stderr


def test_a_folder_of_photos_is_processed_and_an_empty_one_is_an_error(tmp_path: Path):
    photos = _gallery(tmp_path / "photos", {"a.jpg": "obama.jpg", "deep/b": "biden.jpg"})
    (tmp_path / "none").mkdir()

    answers = _run_json("faces", "--json", photos)

    assert [Path(answer["photo"]).name for answer in answers] == ["a.jpg", "b"]
    assert CliRunner().invoke(app, ["predict", "faces", str(tmp_path / "none")]).exit_code == 2


def test_photos_of_one_base_name_are_drawn_under_different_names(tmp_path: Path):
    photos = _gallery(tmp_path, {"one/a.jpg": "obama.jpg", "two/a.jpg": "biden.jpg"})

    _run_json("faces", "--json", "--draw", tmp_path / "out", photos / "one", photos / "two")

    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a-2.png", "a.png"]


def test_an_output_folder_that_cannot_be_made_is_told_before_anything_is_done(tmp_path: Path):
    (tmp_path / "file").touch()

    ran = CliRunner().invoke(
        app, ["predict", "faces", "--json", "--draw", str(tmp_path / "file"), str(PHOTOS / "obama.jpg")]
    )

    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "--draw" in ran.stderr


def test_a_file_name_that_is_no_utf_8_is_processed_and_shown(tmp_path: Path):
    shutil.copy(PHOTOS / "obama.jpg", tmp_path / os.fsdecode(b"caf\xe9.jpg"))

    answer = _run_json("faces", "--json", tmp_path, "--draw", tmp_path / "out")[0]
    table = CliRunner().invoke(app, ["predict", "faces", str(tmp_path)])

    assert (len(answer["faces"]), os.fsencode(answer["photo"])[-8:]) == (1, b"caf\xe9.jpg"[-8:])
    assert "caf\\xe9.jpg" in table.stdout
