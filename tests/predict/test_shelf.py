"""A folder of releases is a set of models: named safely, opened once, served as its card says."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.onnx_classifier import write_classifier
from tests.predict.pictures import encoded
from vigil.errors import DamagedRelease, UnknownModel
from vigil.predict.classifier import open_classifier
from vigil.predict.release import RELEASE, digests_of, open_release
from vigil.predict.shelf import Shelf
from vigil.predict.table import BadCard


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    write_classifier(tmp_path)
    return Shelf(tmp_path, {"classifier": open_classifier})


@pytest.mark.parametrize(("colour", "label"), [("red", "red"), ("lime", "green"), ("blue", "blue")])
def test_a_classifier_runs_from_its_card_alone(shelf: Shelf, colour: str, label: str):
    stages: list[str] = []

    scene = shelf.get("tiny-colours").see(
        encoded(Image.new("RGB", (60, 40), colour), "PNG"), {}, stages.append
    )

    assert [(one.label, one.status) for one in scene.sightings] == [(label, "known")]
    assert scene.size_px == (60, 40)
    assert stages == ["decode", "classify"]


def test_an_unsure_classifier_says_unknown(shelf: Shelf):
    scene = shelf.get("tiny-colours").see(encoded(Image.new("RGB", (60, 40), "white"), "PNG"), {}, _unmarked)

    assert [(one.label, one.status) for one in scene.sightings] == [("unknown", "unknown")]


def test_a_model_is_opened_once(shelf: Shelf):
    assert shelf.get("tiny-colours") is shelf.get("tiny-colours")


def test_an_unknown_name_says_which_there_are(shelf: Shelf):
    with pytest.raises(UnknownModel, match="tiny-colours"):
        shelf.get("nothing")


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "/etc", "tiny-colours/", "Tiny-Colours", "a\0b", "x" * 300, "."]
)
def test_no_name_leaves_the_folder(shelf: Shelf, name: str):
    with pytest.raises(UnknownModel):
        shelf.get(name)


def test_a_kind_that_nobody_handed_in_is_not_served(tmp_path: Path):
    write_classifier(tmp_path)

    assert Shelf(tmp_path, {}).names() == ()


def test_a_release_changes_its_id_with_any_byte(shelf: Shelf, tmp_path: Path):
    before = shelf.part("tiny-colours").id
    card = tmp_path / "tiny-colours" / "card.toml"
    card.write_text(card.read_text().replace("threshold = 0.6", "threshold = 0.7"))

    assert shelf.part("tiny-colours").id != before


def test_a_missing_network_is_named(shelf: Shelf, tmp_path: Path):
    (tmp_path / "tiny-colours" / "model.onnx").unlink()

    with pytest.raises(BadCard, match=r"model\.onnx"):
        shelf.get("tiny-colours")


def test_labels_that_do_not_fit_the_network_are_named(shelf: Shelf, tmp_path: Path):
    card = tmp_path / "tiny-colours" / "card.toml"
    card.write_text(card.read_text().replace('"green", "blue"]', '"green"]'))

    with pytest.raises(BadCard, match="3 values for the 2 labels"):
        shelf.get("tiny-colours").see(encoded(Image.new("RGB", (6, 4), "red"), "PNG"), {}, _unmarked)


def _unmarked(stage: str) -> None:
    """No stage matters here."""


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A release as it is built: its files' digests are told beside them."""
    folder = tmp_path / "tiny-colours"
    write_classifier(tmp_path)
    (folder / RELEASE).write_text(json.dumps({"files": digests_of(folder), "parts": {}}))
    return folder


@pytest.mark.parametrize("file", ["model.onnx", "card.toml"])
def test_one_bit_that_fell_over_is_noticed_and_located(sealed: Path, file: str):
    whole = open_release(sealed.parent, sealed.name).id
    data = bytearray((sealed / file).read_bytes())
    data[-2] ^= 1
    (sealed / file).write_bytes(data)

    with pytest.raises(DamagedRelease) as caught:
        Shelf(sealed.parent, {"classifier": open_classifier}).get(sealed.name)

    assert (caught.value.model, caught.value.release, caught.value.file) == ("tiny-colours", whole, file)
    assert str(caught.value) == f"tiny-colours/{file} of release {whole} is damaged"


@pytest.mark.parametrize("file", ["model.onnx", "card.toml"])
def test_a_model_that_lost_a_file_is_damaged_and_not_unknown(sealed: Path, file: str):
    (sealed / file).unlink()

    with pytest.raises(DamagedRelease, match=file):
        Shelf(sealed.parent, {"classifier": open_classifier}).get(sealed.name)


def test_a_release_note_that_breaks_off_is_damage_too(sealed: Path):
    (sealed / RELEASE).write_text('{"files": ')

    with pytest.raises(DamagedRelease, match=RELEASE):
        Shelf(sealed.parent, {"classifier": open_classifier}).get(sealed.name)


def test_what_was_damaged_is_opened_once_it_is_whole_again(sealed: Path):
    shelf, data = Shelf(sealed.parent, {"classifier": open_classifier}), (sealed / "model.onnx").read_bytes()
    (sealed / "model.onnx").write_bytes(data[:-1])
    with pytest.raises(DamagedRelease):
        shelf.get(sealed.name)

    (sealed / "model.onnx").write_bytes(data)

    assert shelf.get(sealed.name).name == sealed.name
