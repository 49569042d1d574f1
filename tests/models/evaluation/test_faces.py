"""Face recognition is calibrated on a folder of people through the pipeline that serves."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.build.files import CARDS
from models.evaluation.faces.calibration import calibrate
from models.evaluation.faces.card import write_calibration
from models.evaluation.faces.command import evaluate_folder
from models.evaluation.faces.frames import compose_frame, false_faces, recall_by_height
from models.evaluation.faces.photos import AnalyzedPhoto, analyze_folder, data_id
from models.evaluation.faces.quality import CARD_FIGURES, write_quality
from models.evaluation.faces.recognition import slice_name
from tests.fakes.built_models import PHOTOS, built_releases, faces_model
from vigil.faces.calibration import Calibration
from vigil.faces.recognizer import FaceRecognizer, FacesCard
from vigil.toml_file import load_toml

PEOPLE = {
    "enrolled/obama": ("obama.jpg", "obama2.jpg"),
    "enrolled/biden": ("biden.jpg",),
    "strangers/obama-again": ("obama3.jpg",),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("people")
    for home, names in PEOPLE.items():
        (root / home).mkdir(parents=True)
        for name in names:
            shutil.copy(PHOTOS / name, root / home / name)
    return root


@pytest.fixture(scope="module")
def photos(folder: Path) -> tuple[AnalyzedPhoto, ...]:
    return analyze_folder(faces_model(), folder)


def test_every_photograph_has_the_face_nearest_to_its_middle(photos: tuple[AnalyzedPhoto, ...]):
    assert [(photo.subject, photo.is_enrolled) for photo in photos] == [
        ("biden", True),
        ("obama", True),
        ("obama", True),
        ("obama-again", False),
    ]
    assert all(photo.main_face is not None for photo in photos)


def test_rates_are_of_pairs_of_different_people_and_carry_what_they_were_measured_on(
    photos: tuple[AnalyzedPhoto, ...], folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("models.evaluation.identification.MIN_FALSE_MATCHES", 1)

    made = calibrate(faces_model(), photos, date="2026-01-31", data=data_id(folder))

    assert made.embedding_space == faces_model().embedding_space
    assert made.source is not None
    assert (made.source.pairs, made.source.release) == (5, faces_model().release)
    assert made.cosine[0] < made.cosine[-1]


def test_a_calibration_that_is_written_to_a_card_is_read_from_it(tmp_path: Path):
    card = tmp_path / "card.toml"
    shutil.copy(CARDS / "faces" / "card.toml", card)
    before = load_toml(card).convert(FacesCard).matching

    write_calibration(card, before.calibration, 0.07)

    after = load_toml(card).convert(FacesCard).matching
    assert (after.calibration, after.low_quality_margin) == (before.calibration, 0.07)


def test_the_data_id_changes_with_a_photograph(folder: Path, tmp_path: Path):
    other = shutil.copytree(folder, tmp_path / "other")
    same = data_id(other)
    (other / "enrolled" / "biden" / "biden.jpg").write_bytes((PHOTOS / "obama.jpg").read_bytes())

    assert (same, data_id(other) == same) == (data_id(folder), False)


def test_a_folder_of_people_is_evaluated_as_json_and_page(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("models.evaluation.identification.MIN_FALSE_MATCHES", 1)
    monkeypatch.setattr("models.evaluation.faces.recognition.half_of", lambda _subject: 0)
    monkeypatch.setattr("models.evaluation.faces.recognition.calibrate", _card_calibration)

    report = evaluate_folder(built_releases(), "faces", folder, tmp_path)

    figures = json.loads(report.json.read_text("utf-8"))["figures"]
    assert {name: figures[name]["value"] for name in ("right", "wrong", "rank_one")} == {
        "right": 1,
        "wrong": 0,
        "rank_one": 1,
    }
    assert (figures["close_cuts_wrong_5"]["value"], figures["overlapping_faces"]["value"]) == (0, 0)
    assert "ROC of pairs" in report.html.read_text("utf-8")


@pytest.mark.parametrize(("value", "name"), [(10, "below 40"), (40, "40 to 80"), (200, "80 and more")])
def test_a_measure_is_in_a_named_slice(value: float, name: str):
    assert slice_name(value, (40, 80)) == name


def test_faces_of_known_heights_are_found_in_composed_frames(
    photos: tuple[AnalyzedPhoto, ...], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("models.evaluation.faces.frames.HEIGHTS_PX", (8, 60))

    figures = recall_by_height(faces_model(), photos)

    assert {name: figure.value for name, figure in figures.items()} == {
        "recall_8px": 0,
        "recall_60px": 1,
        "false_faces_per_frame": 0,
    }


def test_a_face_in_a_composed_frame_has_the_height_that_is_asked_for(photos: tuple[AnalyzedPhoto, ...]):
    frame, boxes = compose_frame(faces_model(), photos, 80, np.random.default_rng(0))

    assert faces_model().decode_full_size(frame).size == (1920, 1080)
    assert [round(bottom - top) for _, top, _, bottom in boxes] == [80] * len(photos)


def test_faces_in_pictures_without_people_are_counted(tmp_path: Path):
    (tmp_path / "no-picture.txt").write_text("text")
    Image.new("RGB", (64, 48), (90, 120, 90)).save(tmp_path / "meadow.png")
    shutil.copy(PHOTOS / "obama.jpg", tmp_path / "poster.jpg")

    figures = false_faces(faces_model(), sorted(tmp_path.iterdir()))

    assert figures["false_faces_per_picture"].value == 0.5
    assert not false_faces(faces_model(), [])


def _card_calibration(model: FaceRecognizer, *_: object, **__: object) -> Calibration:
    return model.matching_config.calibration


def test_the_card_s_calibration_was_measured():
    calibration = load_toml(CARDS / "faces" / "card.toml").convert(FacesCard).matching.calibration

    assert calibration.source is not None
    assert calibration.source.pairs > 1_000_000
    assert calibration.embedding_space == faces_model().embedding_space


def _figure(value: float | None) -> dict[str, float | None]:
    return {"value": value, "low": value, "high": value}


EVALUATION = {
    "release": "aaaa",
    "date": "2026-01-31",
    "data": "bbbb",
    "figures": {"recall_40px": _figure(0.91), "pair_accuracy": _figure(0.98765), "right": _figure(None)},
}


def test_an_evaluation_replaces_the_quality_of_the_cards(tmp_path: Path):
    for name in CARD_FIGURES:
        shutil.copytree(CARDS / name, tmp_path / name)

    write_quality(tmp_path, EVALUATION)

    cards = {name: load_toml(tmp_path / name / "card.toml") for name in CARD_FIGURES}
    measured = {"release": "aaaa", "date": "2026-01-31", "data": "bbbb"}
    assert cards["face-detect"].values["quality"] == {**measured, "recall_40px": 0.91}
    assert cards["face-embed"].values["quality"] == {**measured, "pair_accuracy": 0.9877}
    assert cards["faces"].values["quality"] == measured
    assert (
        cards["faces"].convert(FacesCard).matching
        == load_toml(CARDS / "faces" / "card.toml").convert(FacesCard).matching
    )


@pytest.mark.parametrize("name", CARD_FIGURES)
def test_figures_in_a_card_of_face_recognition_name_what_was_measured_and_when(name: str):
    quality = load_toml(CARDS / name / "card.toml").values["quality"]

    measured = {"release", "date", "data"}
    assert quality.keys() > measured
    assert all(figure.startswith(CARD_FIGURES[name]) for figure in quality.keys() - measured)
